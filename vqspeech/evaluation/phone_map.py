"""How often each code falls on each phone: what a heat map of phones by codes shows."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.data.labels import frame_labels
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.missing import CannotMeasure, require_codes
from vqspeech.evaluation.phones import is_speech
from vqspeech.evaluation.speech import Speech
from vqspeech.files import atomic_write
from vqspeech.progress import progress

if TYPE_CHECKING:
    from vqspeech.codec import Codec

TABLE = "phones_by_code.tsv"


def measure_map(codec: "Codec", coded: Coded, speech: Speech, limit: int, out: Path) -> dict[str, Any]:
    """Count the frames of each code on each phone, silence left out, and write them to `out/phones_by_code.tsv`.

    On the first `limit` labelled utterances by hash. Raises CannotMeasure without phone labels that can be read.
    """
    require_codes(codec)
    labelled = speech.first(limit, among=speech.data.labels)
    if not labelled:
        raise CannotMeasure("no phone labels")
    labels = speech.labels(labelled)
    codes, phones = [], []
    for utterance, stream in coded.of(speech, progress(labels, "phone map", unit="utt")):
        codes.append(stream)
        offset = speech.data.utt2offset.get(utterance, 0.0)
        phones.append(frame_labels(labels[utterance], len(stream), codec.hop / codec.sample_rate, offset))
    if not codes:
        raise CannotMeasure("no labelled utterance can be read")
    spoken = is_speech(np.concatenate(phones))
    if not spoken.any():
        raise CannotMeasure("no labelled frame of speech")
    counts = count(np.concatenate(codes)[spoken], np.concatenate(phones)[spoken])
    write_counts(out / TABLE, *counts)
    return {
        "file": TABLE,
        "codes": len(counts[0]),
        "phones": len(counts[1]),
        "frames": int(spoken.sum()),
        "utterances": len(codes),
    }


def count(codes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of codes `[frames]` int and labels `[frames]` str the codes [C], the phones [P] and their counts [C, P]."""
    names, rows = np.unique(codes, return_inverse=True)
    phones, columns = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(phones)), dtype=np.int64)
    np.add.at(counts, (rows, columns), 1)
    return names, phones, counts


def write_counts(path: Path, codes: np.ndarray, phones: np.ndarray, counts: np.ndarray) -> None:
    """Write a table with a row for each code that occurs and a column for each phone."""
    with atomic_write(path) as file:
        for row in (["code", *phones], *([code, *row] for code, row in zip(codes, counts.tolist(), strict=True))):
            file.write("\t".join(map(str, row)) + "\n")


def read_counts(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read what `write_counts` wrote; raises VqspeechError for another file and OSError."""
    try:
        head, *rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
        table = np.array(rows, dtype=np.int64).reshape(-1, len(head))
    except ValueError as error:
        raise VqspeechError(f"{path}: damaged: {error}; remake it with vqspeech-evaluate") from error
    return table[:, 0], np.array(head[1:]), table[:, 1:]
