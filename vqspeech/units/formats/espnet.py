"""ESPnet's asr2: pseudo-labels, and text in which every unit is one character."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vqspeech.errors import VqspeechError
from vqspeech.units.formats.base import Export, Row, write_lines, write_rows
from vqspeech.units.store import read_lines
from vqspeech.units.tokens import expanded

FIRST = 0x4E00
"""The character of unit 0: the first of the CJK ideographs."""
MOST = 20_900
"""ESPnet warns from so many units on, where the ideographs end."""


class Espnet:
    """`pseudo_labels_km<K>.txt`, a label a frame; `text.ts.km<K>`, runs kept, or `text.rm.km<K>`, merged; `tokens.txt`.

    asr2 makes both texts from the labels: `km<K>` stands where its recipes have the source language.
    """

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        codes = export.info["codes"]
        if codes > MOST:
            raise VqspeechError(f"ESPnet has characters for {MOST} units, this model has {codes}")
        labels = ((id, expanded(tokens)) for id, tokens in export.tokens.items())
        write_rows(folder / f"pseudo_labels_km{codes}.txt", labels)
        spelt = ((id, "".join(chr(FIRST + unit) for unit in row.units.tolist())) for id, row in export.tokens.items())
        write_lines(_text(folder, export.info), (f"{id} {characters}" for id, characters in spelt))
        characters = (chr(FIRST + unit) for unit in range(codes))
        write_lines(folder / "tokens.txt", ("<blank>", "<unk>", *characters, "<sos/eos>"))

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = _text(folder, info)
        for number, line in enumerate(read_lines(path), 1):
            id, _, characters = line.partition(" ")
            yield Row(f"{path}:{number}", id, [ord(character) - FIRST for character in characters])


def _text(folder: Path, info: dict[str, Any]) -> Path:
    return folder / f"text.{'rm' if info.get('merged') else 'ts'}.km{info['codes']}"
