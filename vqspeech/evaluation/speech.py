"""A data dir's speech, read when it is needed; what cannot be read is counted or ends the evaluation."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.data.kaldi import read_data_dir
from vqspeech.data.labels import SILENCES, Phone, read_labels
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.selection import by_hash
from vqspeech.progress import say

TRIMMED = 2.0
"""Seconds after the trimmed audio in which an aligner may still find a phone; beyond, labels are of something else."""


class Speech:
    """The utterances of a data dir as waveforms at one rate.

    With `skip_bad` an utterance whose audio or labels cannot be read is left out and its reason kept in `skipped`;
    otherwise it raises VqspeechError. Raises VqspeechError for a data dir that cannot be read or lacks durations.
    """

    def __init__(self, path: Path, sample_rate: int, skip_bad: bool = False) -> None:
        self.path = path
        self.sample_rate = sample_rate
        self.skip_bad = skip_bad
        self.skipped: dict[str, str] = {}
        self.data = read_data_dir(path)
        if self.data.wavs.keys() - self.data.utt2dur.keys():
            raise VqspeechError(f"{path / 'utt2dur'}: lacks utterances; run vqspeech-prepare")

    def __len__(self) -> int:
        return len(self.data.utterances)

    @property
    def hours(self) -> float:
        """Length of all speech in hours."""
        return sum(self.data.utt2dur.values()) / 3600

    def first(self, count: int, among: Iterable[str] | None = None) -> list[str]:
        """The first `count` utterances by hash, of all or of those given."""
        return by_hash(self.data.utterances if among is None else among)[:count]

    def read(self, utterances: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each utterance that can be read with its waveform [T]."""
        for utterance in utterances:
            if utterance in self.skipped:
                continue
            try:
                waveform = audio.read(self.data.wavs[utterance], self.sample_rate)
            except audio.AudioError as error:
                self._skip(utterance, error)
            else:
                yield utterance, waveform

    def of_speaker(self, speaker: str, count: int) -> list[np.ndarray]:
        """The waveforms [T] of the speaker's first `count` utterances by hash; none of a stranger."""
        chosen = self.first(count, among=self.data.spk2utt.get(speaker, ()))
        return [waveform for _, waveform in self.read(chosen)]

    def labels(self, utterances: Iterable[str]) -> dict[str, list[Phone]]:
        """The phones of each utterance whose audio and labels can be read."""
        labels = {}
        for utterance, _ in self.read(utterances):
            try:
                labels[utterance] = self._labels_of(utterance)
            except VqspeechError as error:
                self._skip(utterance, error)
        return labels

    def _labels_of(self, utterance: str) -> list[Phone]:
        path = self.data.labels[utterance]
        phones = read_labels(path)
        spoken = [phone.end for phone in phones if phone.phone not in SILENCES]
        end = self.data.utt2offset.get(utterance, 0.0) + self.data.utt2dur[utterance]
        if spoken and spoken[-1] > end + TRIMMED:
            raise VqspeechError(
                f"{path}: its last phone ends at {spoken[-1]:.1f} s, the speech of {utterance} at {end:.1f} s"
            )
        return phones

    def _skip(self, utterance: str, error: VqspeechError) -> None:
        if not self.skip_bad:
            raise error
        self.skipped[utterance] = str(error)
        say(f"skipped {utterance}: {error}")
