"""Rows of id, speaker, text, audio, units and durations: JSON lines, Parquet, NumPy."""

import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.extras import FORMATS, require
from vqspeech.units.formats.base import Export, write_lines
from vqspeech.units.rows import MOST_FRAMES, Row, read_lines

MOST_VALUES = 4 * MOST_FRAMES


def _rows(export: Export) -> Iterator[dict[str, Any]]:
    """One utterance each; what is not known of it is None."""
    for id, tokens in export.tokens.items():
        audio = export.audio.get(id)
        yield {
            "id": id,
            "speaker": export.speakers.get(id),
            "text": export.texts.get(id),
            "audio": str(audio.path.resolve()) if audio else None,
            "units": tokens.units.tolist(),
            "durations": tokens.durations.tolist(),
        }


def _row(where: str, found: dict[str, Any]) -> Row:
    return Row(where, found["id"], found["units"], found["durations"], found.get("speaker"))


def _check_npz(path: Path) -> None:
    """Refuse arrays that take more room in memory than in the file: NumPy believes their headers. Raises ValueError."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                version = np.lib.format.read_magic(file)
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[version](file)
            # Values of no size, such as empty texts, take room as soon as they become Python's.
            if math.prod(shape) * max(dtype.itemsize, 1) > min(member.file_size, path.stat().st_size):
                raise ValueError(f"{member.filename} promises {shape} values, more than there are")


class JsonLines:
    """`units.jsonl`, one object a line."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        write_lines(folder / "units.jsonl", (json.dumps(row, ensure_ascii=False) for row in _rows(export)))

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = folder / "units.jsonl"
        for number, line in enumerate(read_lines(path), 1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise VqspeechError(f"{path}:{number}: not JSON: {error.msg}") from error
            try:
                yield _row(f"{path}:{number}", row)
            except (KeyError, TypeError, AttributeError) as error:
                raise VqspeechError(f"{path}:{number}: expected an object with id, units and durations") from error


class Parquet:
    """`units.parquet`, a table that `datasets`, pandas and others open."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        require(["pyarrow"], FORMATS)
        import pyarrow
        from pyarrow import parquet

        text, numbers = pyarrow.string(), pyarrow.list_(pyarrow.int64())
        names = {"id": text, "speaker": text, "text": text, "audio": text, "units": numbers, "durations": numbers}
        table = pyarrow.Table.from_pylist(list(_rows(export)), schema=pyarrow.schema(list(names.items())))
        parquet.write_table(table, folder / "units.parquet")

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        require(["pyarrow"], FORMATS)
        from pyarrow import parquet

        path = folder / "units.parquet"
        file = parquet.ParquetFile(path)
        groups = (file.metadata.row_group(index) for index in range(file.num_row_groups))
        # Repeated values take no room in a file.
        if sum(group.column(index).num_values for group in groups for index in range(group.num_columns)) > MOST_VALUES:
            raise VqspeechError(f"{path}: holds more than {MOST_VALUES} values")
        rows = (row for batch in file.iter_batches(1000) for row in batch.to_pylist())
        for number, row in enumerate(rows, 1):
            yield _row(f"{path}, row {number}", row)


class Npz:
    """`units.npz`: `ids`, `lengths` (tokens of each), `units` and `durations` (of all, one after another)."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        lengths = [len(tokens.units) for tokens in export.tokens.values()]
        units, durations = (np.concatenate(column) for column in zip(*export.tokens.values(), strict=True))
        np.savez(folder / "units.npz", ids=list(export.tokens), lengths=lengths, units=units, durations=durations)

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = folder / "units.npz"
        _check_npz(path)
        with np.load(path, allow_pickle=False) as arrays:
            ids, lengths, units, durations = (arrays[name] for name in ("ids", "lengths", "units", "durations"))
        if len(ids) != len(lengths) or not sum(lengths.tolist()) == len(units) == len(durations):
            raise VqspeechError(f"{path}: damaged: lengths do not sum up to the units")
        ends = lengths.cumsum()
        for id, length, end in zip(ids.tolist(), lengths.tolist(), ends.tolist(), strict=True):
            yield Row(str(path), id, units[end - length : end], durations[end - length : end])
