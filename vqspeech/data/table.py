"""Kaldi's text tables: a key and a value a line, sorted as `LC_ALL=C sort` does."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vqspeech.data.utterance import read_lines
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
        *lines, rest = read_lines(path)
        table = cls(path, {})
        previous = ""
        for number, line in enumerate(lines, start=1):
            where = f"{path}:{number}"
            key, _, value = line.strip().replace("\t", " ", 1).partition(" ")
            try:
                check_id(key)
            except VqspeechError as error:
                raise VqspeechError(f"{where}: {error}") from error
            if key in table.rows:
                raise VqspeechError(f"{where}: {key} occurs a second time")
            # Python compares strings by code point, which is the order of their UTF-8 bytes.
            if key < previous:
                raise VqspeechError(f"{where}: {key} comes after {previous}; sort the file with LC_ALL=C sort")
            table.rows[key] = value.strip()
            previous = key
        if rest:
            raise VqspeechError(f"{path}:{len(lines) + 1}: the last line has no end")
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
