"""ESPnet's asr2: pseudo-labels, and text in which every unit is one character."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vqspeech.units.characters import alphabet, from_characters, to_characters
from vqspeech.units.formats.base import Export, write_lines, write_rows
from vqspeech.units.rows import Row, read_lines
from vqspeech.units.tokens import expanded


class Espnet:
    """`pseudo_labels_km<K>.txt`, a label a frame; `text.ts.km<K>`, runs kept, or `text.rm.km<K>`, merged; `tokens.txt`.

    asr2 makes both texts from the labels: `km<K>` stands where its recipes have the source language. With a BPE
    `tokens.txt` lists the pieces; the text stays as it is, since ESPnet applies `bpe.model` as it reads.
    """

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        codes = export.info["codes"]
        pieces = export.bpe.names[1:] if export.bpe else alphabet(codes)
        write_lines(folder / "tokens.txt", ("<blank>", "<unk>", *pieces, "<sos/eos>"))
        labels = ((id, expanded(row)) for id, row in export.units.items())
        write_rows(folder / f"pseudo_labels_km{codes}.txt", labels)
        spelt = (f"{id} {to_characters(row.units.tolist())}" for id, row in export.units.items())
        write_lines(_text(folder, export.info), spelt)

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = _text(folder, info)
        for number, line in enumerate(read_lines(path), 1):
            id, _, characters = line.partition(" ")
            yield Row(f"{path}:{number}", id, from_characters(characters))


def _text(folder: Path, info: dict[str, Any]) -> Path:
    return folder / f"text.{'rm' if info.get('merged') else 'ts'}.km{info['codes']}"
