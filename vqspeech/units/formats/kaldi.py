"""Kaldi: integer vectors as text or binary archives, CTM, and the symbol table that goes with them."""

import struct
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.units.formats.base import Export, write_lines, write_rows
from vqspeech.units.rows import Row, read_lines, read_rows
from vqspeech.units.tokens import expanded, merged


def _write_symbols(count: int, path: Path) -> None:
    """Write the symbol table: `<eps> 0`, then unit u as `u (u + 1)`, an offset that exists only there."""
    write_lines(path, ("<eps> 0", *(f"{unit} {unit + 1}" for unit in range(count))))


class KaldiText:
    """`units.txt`, `utterance 12 12 5 ...` a line, a text archive of integer vectors; and `tokens.txt`, the symbols."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        write_rows(folder / "units.txt", ((id, tokens.units) for id, tokens in export.tokens.items()))
        _write_symbols(export.count, folder / "tokens.txt")

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        return read_rows(folder / "units.txt")


class KaldiArk:
    """`units.ark`, int32 vectors in binary, `units.scp`, where each begins, and `tokens.txt`."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        places = {}
        with (folder / "units.ark").open("wb") as file:
            for id, tokens in export.tokens.items():
                file.write(f"{id} ".encode())
                places[id] = file.tell()
                # Binary marker, size of an int32 and the count, then each number behind its size, as Kaldi has it.
                file.write(b"\0B" + struct.pack("<bi", 4, len(tokens.units)))
                for unit in tokens.units.tolist():
                    file.write(struct.pack("<bi", 4, unit))
        write_lines(folder / "units.scp", (f"{id} {home / 'units.ark'}:{place}" for id, place in places.items()))
        _write_symbols(export.count, folder / "tokens.txt")

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = folder / "units.ark"
        data, at = path.read_bytes(), 0
        while at < len(data):
            space = data.index(b" ", at)
            id = data[at:space].decode()
            marker, size, count = struct.unpack_from("<2sbi", data, space + 1)
            at = space + 8
            if marker != b"\0B" or size != 4 or not 0 <= count <= (len(data) - at) // 5:
                raise VqspeechError(f"{path}: utterance {id}: damaged: not a binary vector of int32")
            numbers = np.frombuffer(data, np.dtype([("size", "i1"), ("value", "<i4")]), count, at)
            if (numbers["size"] != 4).any():
                raise VqspeechError(f"{path}: utterance {id}: damaged: not a binary vector of int32")
            yield Row(str(path), id, numbers["value"].astype(np.int64))
            at += 5 * count


class Ctm:
    """`units.ctm`, `utterance 1 begin duration unit` in seconds for every run, or every piece of a BPE."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        with (folder / "units.ctm").open("w", encoding="utf-8", newline="\n") as file:
            for id, tokens in export.tokens.items():
                runs = tokens if export.bpe else merged(expanded(tokens))
                begins = (runs.durations.cumsum() - runs.durations) * export.frame_seconds
                for begin, frames, unit in zip(begins, runs.durations, runs.units, strict=True):
                    file.write(f"{id} 1 {begin:.6f} {frames * export.frame_seconds:.6f} {unit}\n")

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path, seconds = folder / "units.ctm", info["hop"] / info["sample_rate"]
        lines = ((number, line.split()) for number, line in enumerate(read_lines(path), 1))
        for id, group in groupby(lines, key=lambda line: line[1][0] if line[1] else ""):
            units, durations, end = [], [], 0
            for number, words in group:
                where = f"{path}:{number}"
                try:
                    _, _, begin, length, unit = words
                    first, frames = round(float(begin) / seconds), round(float(length) / seconds)
                    units.append(int(unit))
                except (ValueError, OverflowError) as error:
                    raise VqspeechError(f"{where}: expected 'utterance 1 begin duration unit'") from error
                if first != end:
                    raise VqspeechError(
                        f"{where}: begins at {begin} s, the run before it ends at {end * seconds:.6f} s"
                    )
                durations.append(frames)
                end += frames
            yield Row(where, id, units, durations)
