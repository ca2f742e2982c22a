"""Units as they stand in a file, not to be believed before they are checked."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.files import check_id

LONGEST_RUN = 10**7
"""Frames of one unit: eleven hours at 250 Hz; a few bytes could stand for gigabytes."""
MOST_FRAMES = 10**9
"""Of all utterances together that an import may unfold to: six weeks of speech at 250 Hz."""


class Row(NamedTuple):
    """One utterance as it was read."""

    where: str
    """File and line."""
    id: str
    units: Any
    """`[n]`"""
    durations: Any = None
    """`[n]` frames; None where the file does not tell."""
    speaker: Any = None


def checked(rows: Iterable[Row], count: int, called: str = "unit") -> Iterator[Row]:
    """The same rows, with units, and durations if there are any, as `[n]` int64.

    Raises VqspeechError with file and line for an unsafe or doubled id, an utterance without units, units that are no
    whole numbers from 0 to `count` - 1, durations that do not fit, and an unsafe speaker.
    """
    known: set[str] = set()
    for row in rows:
        try:
            id, units = check_id(row.id), whole_numbers(row.units)
            durations = None if row.durations is None else whole_numbers(row.durations)
            speaker = check_id(str(row.speaker)) if row.speaker else None
        except VqspeechError as error:
            raise VqspeechError(f"{row.where}: {error}") from error
        if id in known:
            raise VqspeechError(f"{row.where}: utterance {id} stands twice")
        known.add(id)
        if not len(units):
            raise VqspeechError(f"{row.where}: utterance {id} has no units")
        wrong = units[(units < 0) | (units >= count)]
        if len(wrong):
            raise VqspeechError(
                f"{row.where}: utterance {id}: unknown {called} {wrong[0]}: there are {called}s 0 to {count - 1}"
            )
        if durations is not None and (len(durations) != len(units) or durations.min() < 1):
            raise VqspeechError(f"{row.where}: utterance {id} needs {len(units)} durations from 1 on")
        yield Row(row.where, id, units, durations, speaker)


def read_rows(path: Path) -> Iterator[Row]:
    """Read lines `utterance 12 12 5 ...`; raises VqspeechError for an empty one, and for a last one without its end."""
    for number, line in enumerate(_lines(path), 1):
        where = f"{path}:{number}"
        if not line.strip():
            raise VqspeechError(f"{where}: an empty line; expected an utterance and whole numbers")
        id, *units = line.split()
        yield Row(where, id, units)


def read_lines(path: Path, by_hand: bool = False) -> list[str]:
    """The lines of a UTF-8 text file; raises VqspeechError naming the line that is none, and OSError.

    The last one has to have its end, without which it may be cut short, unless the file may be written by hand.
    """
    return list(_lines(path, by_hand))


def _lines(path: Path, by_hand: bool = False) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not by_hand and not line.endswith(b"\n"):
                raise VqspeechError(f"{path}:{number}: cut short: the last line has no end")
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise VqspeechError(f"{path}:{number}: not UTF-8 text") from error


def whole_numbers(values: Any) -> np.ndarray:
    """`[n]` int64 of a list of numbers or of their texts; raises VqspeechError for anything else."""
    try:
        if isinstance(values, list | tuple):
            if any(isinstance(value, float | bool) for value in values):
                raise ValueError
            # NumPy would give every text the room of the longest.
            values = np.array([int(value) for value in values], np.int64)
        array = np.asarray(values)
        if array.size == 0:
            array = array.astype(np.int64)
        if array.dtype.kind not in "iu" or array.ndim != 1:
            raise ValueError
        return array.astype(np.int64)
    except (ValueError, OverflowError, TypeError) as error:
        raise VqspeechError(f"expected whole numbers, found {str(values)[:40]}") from error
