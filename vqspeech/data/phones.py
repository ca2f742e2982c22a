"""The phone of every frame of a crop, for training that is told phones."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from vqspeech.data.kaldi import DataDir
from vqspeech.data.labels import SILENCES, Phone, frame_labels, read_labels
from vqspeech.errors import VqspeechError

UNKNOWN = -100
"""The class of a frame whose phone nobody knows, as PyTorch's cross-entropy leaves it out."""
SILENCE = "sil"


class PhoneTargets:
    """Classes for the frames of a data dir by its `labels.scp`; silences of all names are one class.

    `names` are the phones, sorted. Raises VqspeechError for a data dir without labels, or with some that cannot be
    read.
    """

    def __init__(self, data: DataDir, hop: int, sample_rate: int, names: tuple[str, ...] = ()) -> None:
        if not data.labels:
            raise VqspeechError(f"{data.path}: has no phone labels to train on: make them with vqspeech-align")
        self.data, self.hop, self.sample_rate = data, hop, sample_rate
        self.labels = {id: _plain_silences(path) for id, path in data.labels.items()}
        self.names = names or tuple(sorted({phone.phone for phones in self.labels.values() for phone in phones}))
        self.classes = {name: row for row, name in enumerate(self.names)}

    def of(self, id: str, start: int, samples: int) -> np.ndarray:
        """Classes `[ceil(samples / hop)]` int64 of the stretch of an utterance that begins at sample `start`."""
        frames = -(-samples // self.hop)
        offset = self.data.utt2offset.get(id, 0.0) + start / self.sample_rate
        found = frame_labels(self.labels.get(id, []), frames, self.hop / self.sample_rate, offset)
        return np.array([self.classes.get(name, UNKNOWN) for name in found], dtype=np.int64)


def _plain_silences(path: Path) -> list[Phone]:
    phones = read_labels(path)
    return [replace(phone, phone=SILENCE) if phone.phone in SILENCES else phone for phone in phones]
