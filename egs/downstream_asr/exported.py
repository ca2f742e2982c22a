"""What vqspeech-export wrote (`--format jsonl --data DATADIR`), read as any other toolkit would: by its files alone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vqspeech import audio
from vqspeech.data.splits import normalise_text
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.mfcc import log_mel_bands
from vqspeech.progress import progress

LOG_MEL_RATE = 100
"""Frames a second."""


class Utterance(NamedTuple):
    """One line of an export."""

    id: str
    text: str
    """Lower-case words, single spaces."""
    units: list[int]
    durations: list[int]
    """Frames that each unit lasts."""
    audio: Path


@dataclass(frozen=True)
class Exported:
    """One split."""

    info: dict[str, Any]
    """`units.json`: codes, rate (Hz), sample_rate and more."""
    utterances: list[Utterance]


class Example(NamedTuple):
    """An utterance as a recogniser takes it."""

    id: str
    text: str
    inputs: Tensor
    """`[N, 2]` int64, units and their durations, or `[N, 40]` log-mel bands."""


def read_export(folder: Path) -> Exported:
    """Read an export; raises VqspeechError that names the file and line of what a recogniser cannot do without."""
    try:
        info = json.loads((folder / "units.json").read_text(encoding="utf-8"))
        lines = (folder / "units.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise VqspeechError(f"{error.filename}: not there; make it with vqspeech-export --format jsonl") from error
    utterances = []
    for number, line in enumerate(lines, 1):
        row = json.loads(line)
        where = f"{folder / 'units.jsonl'}:{number}: utterance {row['id']}"
        if row["audio"] is None or row["text"] is None:
            raise VqspeechError(f"{where}: no text or audio; export it with --data, a data directory that has both")
        text = normalise_text(row["text"])
        if not text:
            raise VqspeechError(f"{where}: its text has no words: {row['text']!r}")
        if not 0 <= min(row["units"]) <= max(row["units"]) < info["codes"]:
            raise VqspeechError(f"{where}: a unit that is none of 0 to {info['codes'] - 1}")
        utterances.append(Utterance(row["id"], text, row["units"], row["durations"], Path(row["audio"])))
    return Exported(info, utterances)


def unit_examples(exported: Exported) -> list[Example]:
    """Each utterance as its units, with how long they last."""
    return [Example(row.id, row.text, torch.tensor([row.units, row.durations]).T) for row in exported.utterances]


def log_mel_examples(exported: Exported) -> list[Example]:
    """Each utterance as log-mel bands of its audio, with mean 0 and variance 1 over it."""
    rate = exported.info["sample_rate"]
    examples = []
    for row in progress(exported.utterances, "log-mel", unit="utt"):
        bands = torch.from_numpy(log_mel_bands(audio.read(row.audio, rate), rate, rate // LOG_MEL_RATE)).float()
        standard = (bands - bands.mean(0)) / bands.std(0, correction=0).clamp(min=1e-3)
        examples.append(Example(row.id, row.text, standard))
    return examples


def padded(examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Inputs `[B, N, ...]` with zeros behind shorter ones, and their lengths `[B]`."""
    inputs = [example.inputs for example in examples]
    return pad_sequence(inputs, batch_first=True), torch.tensor([len(row) for row in inputs])
