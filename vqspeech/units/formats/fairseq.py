"""fairseq: HuBERT's manifest with line-aligned labels, and the text of GSLM's unit language models."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vqspeech.errors import VqspeechError
from vqspeech.units.formats.base import Export, write_lines
from vqspeech.units.rows import Row, read_lines


class Fairseq:
    """`SPLIT.tsv` (audio and its samples), `SPLIT.km` (labels, a line for each), `dict.km.txt`; `ids.txt` is ours.

    The split is named after the folder. Labels are never merged: fairseq holds their number against the audio's length.
    """

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        if export.info.get("merged") or export.bpe:
            raise VqspeechError(
                "fairseq holds the number of labels against the audio's length: leave out --dedup and --bpe"
            )
        for id in export.tokens:
            if id not in export.audio:
                raise VqspeechError(f"fairseq's manifest needs the audio of utterance {id}: give --data DIR")
            if export.audio[id].rate != export.info["sample_rate"]:
                raise VqspeechError(
                    f"utterance {id}: fairseq takes audio of {export.info['sample_rate']} Hz, "
                    f"{export.audio[id].path} has {export.audio[id].rate} Hz: give what vqspeech-prepare made"
                )
        paths = {id: str(export.audio[id].path.resolve()) for id in export.tokens}
        root = os.path.commonpath([os.path.dirname(path) for path in paths.values()])
        rows = (f"{os.path.relpath(path, root)}\t{export.audio[id].samples}" for id, path in paths.items())
        write_lines(folder / f"{home.name}.tsv", (root, *rows))
        write_lines(
            folder / f"{home.name}.km", (" ".join(map(str, tokens.units.tolist())) for tokens in export.tokens.values())
        )
        write_lines(folder / "dict.km.txt", (f"{unit} 1" for unit in range(export.info["codes"])))
        write_lines(folder / "ids.txt", export.tokens)

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        splits = sorted(folder.glob("*.km"))
        if len(splits) != 1:
            raise VqspeechError(f"{folder}: {len(splits)} files *.km, where one is needed")
        path = splits[0]
        ids, labels, audio = (read_lines(file) for file in (folder / "ids.txt", path, path.with_suffix(".tsv")))
        if not len(ids) == len(labels) == len(audio) - 1:
            counts = f"{len(labels)} lines in {path.name}, {len(ids)} in ids.txt"
            raise VqspeechError(f"{folder}: {counts}, and {len(audio) - 1} recordings")
        for number, (id, line, recording) in enumerate(zip(ids, labels, audio[1:], strict=True), 1):
            units, samples = line.split(), recording.rpartition("\t")[2]
            if not samples.isdecimal() or abs(len(units) - int(samples) / info["hop"]) > 1:
                raise VqspeechError(f"{path}:{number}: {len(units)} labels for {samples} samples of utterance {id}")
            yield Row(f"{path}:{number}", id, units)


class Gslm:
    """`units.txt`, `utterance|71 12 57` a line."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        barred = next((id for id in export.tokens if "|" in id), None)
        if barred is not None:
            raise VqspeechError(f"utterance {barred}: GSLM parts ids from units by '|'")
        rows = (f"{id}|{' '.join(map(str, tokens.units.tolist()))}" for id, tokens in export.tokens.items())
        write_lines(folder / "units.txt", rows)

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = folder / "units.txt"
        for number, line in enumerate(read_lines(path), 1):
            id, bar, units = line.partition("|")
            if not bar:
                raise VqspeechError(f"{path}:{number}: expected 'utterance|12 12 5'")
            yield Row(f"{path}:{number}", id, units.split())
