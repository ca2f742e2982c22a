"""What every format takes and gives."""

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.files import check_id
from vqspeech.units.store import read_lines
from vqspeech.units.tokens import Tokens

DURATIONS = "durations.txt"
MOST_FRAMES = 10**9
"""Of all utterances together that an import may unfold to: six weeks of speech at 250 Hz."""


@dataclass(frozen=True)
class Audio:
    """Where an utterance's audio lies."""

    path: Path
    samples: int
    rate: int
    """Samples per second of the file."""


@dataclass(frozen=True)
class Export:
    """Units of a set of utterances on their way to another toolkit."""

    info: dict[str, Any]
    """codes (K), hop, sample_rate, rate, model_sha256, and whether runs are merged."""
    tokens: dict[str, Tokens]
    """Utterance to tokens, sorted by utterance."""
    speakers: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    audio: Mapping[str, Audio] = field(default_factory=dict)

    @property
    def frame_seconds(self) -> float:
        """Seconds that a frame lasts."""
        return self.info["hop"] / self.info["sample_rate"]


class Row(NamedTuple):
    """One utterance as it was read, not checked yet."""

    where: str
    """File and line."""
    id: str
    units: Any
    """`[n]`"""
    durations: Any = None
    """`[n]` frames; None for those of `durations.txt`, or one each."""
    speaker: Any = None


class Format(Protocol):
    """The files of one ecosystem in a folder of their own."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """Write into `folder`, which will be called `home`; raises VqspeechError where the format cannot hold this."""
        ...

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """Read back; raises VqspeechError, and ValueError, KeyError, TypeError or OSError for what is damaged."""
        ...


def check_rows(rows: Iterable[Row], info: dict[str, Any], folder: Path) -> tuple[dict[str, Tokens], dict[str, str]]:
    """Tokens and known speakers by utterance.

    Raises VqspeechError for an unsafe or doubled id, an utterance without units, units that are no whole numbers or
    that the model does not have, durations that do not fit, and for more than `MOST_FRAMES` frames.
    """
    tokens: dict[str, Tokens] = {}
    speakers: dict[str, str] = {}
    lasting = dict(_durations(folder / DURATIONS)) if info.get("merged") and (folder / DURATIONS).exists() else {}
    frames = 0
    for row in rows:
        try:
            id = check_id(row.id)
            units = _whole_numbers(row.units)
            durations = lasting.get(id) if row.durations is None else row.durations
            if durations is None and info.get("merged"):
                raise VqspeechError(f"utterance {id}: how long its units last is not known; {DURATIONS} should tell")
            durations = np.ones_like(units) if durations is None else _whole_numbers(durations)
            if row.speaker:
                speakers[id] = check_id(str(row.speaker))
        except VqspeechError as error:
            raise VqspeechError(f"{row.where}: {error}") from error
        if id in tokens:
            raise VqspeechError(f"{row.where}: utterance {id} stands twice")
        if not len(units):
            raise VqspeechError(f"{row.where}: utterance {id} has no units")
        if units.min() < 0 or units.max() >= info["codes"]:
            wrong = int(units.max() if units.max() >= info["codes"] else units.min())
            last = info["codes"] - 1
            raise VqspeechError(f"{row.where}: utterance {id}: unknown unit {wrong}: there are units 0 to {last}")
        if len(durations) != len(units) or durations.min() < 1:
            raise VqspeechError(f"{row.where}: utterance {id} needs {len(units)} durations from 1 on")
        # In Python's integers, which do not overflow.
        frames += sum(durations.tolist())
        if frames > MOST_FRAMES:
            raise VqspeechError(f"{row.where}: utterance {id}: more than {MOST_FRAMES} frames in all")
        tokens[id] = Tokens(units, durations)
    return tokens, speakers


def write_durations(export: Export, folder: Path) -> None:
    """Write down how long merged runs last: most formats have no room for it."""
    write_rows(folder / DURATIONS, ((id, tokens.durations) for id, tokens in export.tokens.items()))


def write_rows(path: Path, rows: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write lines `utterance 12 12 5 ...`."""
    write_lines(path, (f"{id} {' '.join(map(str, row.tolist()))}" for id, row in rows))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of UTF-8 text, without their ends, to a new file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def read_rows(path: Path) -> Iterator[Row]:
    """Read lines `utterance 12 12 5 ...`."""
    for number, line in enumerate(read_lines(path), 1):
        id, *units = line.split() or [""]
        yield Row(f"{path}:{number}", id, units)


def require(module: str) -> ModuleType:
    """Import a library that only one format needs; raises VqspeechError that names the extra which brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise VqspeechError(f"this format needs {module}: pip install 'vqspeech[formats]'") from error


def _durations(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    for row in read_rows(path):
        try:
            yield row.id, _whole_numbers(row.units)
        except VqspeechError as error:
            raise VqspeechError(f"{row.where}: {error}") from error


def _whole_numbers(values: Any) -> np.ndarray:
    """`[n]` int64 of a list of numbers or of their texts."""
    try:
        if isinstance(values, list | tuple) and any(isinstance(value, float | bool) for value in values):
            raise ValueError
        array = np.array(values) if not isinstance(values, np.ndarray) else values
        if array.dtype.kind == "U" or array.size == 0:
            array = array.astype(np.int64)
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise ValueError
        return array.astype(np.int64)
    except (ValueError, OverflowError, TypeError) as error:
        raise VqspeechError(f"expected whole numbers, found {str(values)[:40]}") from error
