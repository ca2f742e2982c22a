"""Kaldi's text tables: a key and a value a line, sorted as `LC_ALL=C sort` does."""

import sys
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vqspeech.errors import VqspeechError
from vqspeech.files import check_id

T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """A table file: key -> value, in the order of its lines."""

    path: Path
    rows: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> "Table":
        """Read a table.

        Raises VqspeechError with file and line for a key that is unsafe, doubled or out of order, and for a
        last line without an end.
        """
        table = cls(path, {})
        previous = ""
        for number, line in enumerate(_lines(path), start=1):
            where = f"{path}:{number}"
            if not line.endswith("\n"):
                raise VqspeechError(f"{where}: the last line has no end")
            key, _, value = line.strip().replace("\t", " ", 1).partition(" ")
            try:
                # The tables of a data dir share their keys.
                key = sys.intern(check_id(key))
            except VqspeechError as error:
                raise VqspeechError(f"{where}: {error}") from error
            if key in table.rows:
                raise VqspeechError(f"{where}: {key} occurs a second time")
            # Python compares strings by code point, which is the order of their UTF-8 bytes.
            if key < previous:
                raise VqspeechError(f"{where}: {key} comes after {previous}; sort the file with LC_ALL=C sort")
            table.rows[key] = value.strip()
            previous = key
        return table

    def error(self, key: str, reason: str) -> VqspeechError:
        """Return the error that `key` gives for `reason`, with file and line."""
        # Every line is a row, so the place of a row tells its line.
        return VqspeechError(f"{self.path}:{list(self.rows).index(key) + 1}: {key}: {reason}")

    def check_keys_are_in(self, keys: Container[str], name: str) -> None:
        """Raise VqspeechError for the first key of this table that the table `name` lacks."""
        for key in self.rows:
            if key not in keys:
                raise self.error(key, f"not in {name}")

    def parsed(self, parse: Callable[[str], T]) -> dict[str, T]:
        """Return the values parsed; a ValueError or VqspeechError of `parse` gets file and line."""
        values: dict[str, T] = {}
        for key, value in self.rows.items():
            try:
                values[key] = parse(value)
            except (ValueError, VqspeechError) as error:
                raise self.error(key, str(error)) from error
        return values


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 text file with their ends; VqspeechError when it is none."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            yield from file
    except UnicodeDecodeError as error:
        raise VqspeechError(f"{path}: not UTF-8 text") from error
    except OSError as error:
        raise VqspeechError(f"{path}: {error.strerror}") from error
