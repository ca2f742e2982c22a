"""ESPnet's asr2: pseudo-labels, and text in which every unit is one character."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vqspeech.errors import VqspeechError
from vqspeech.units.formats.base import Export, Row, write_rows
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
        with _text(folder, export.info).open("w", encoding="utf-8", newline="\n") as file:
            for id, tokens in export.tokens.items():
                file.write(f"{id} {''.join(chr(FIRST + unit) for unit in tokens.units.tolist())}\n")
        with (folder / "tokens.txt").open("w", encoding="utf-8", newline="\n") as file:
            characters = (chr(FIRST + unit) for unit in range(codes))
            file.writelines(f"{token}\n" for token in ("<blank>", "<unk>", *characters, "<sos/eos>"))

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`."""
        path = _text(folder, info)
        for number, line in enumerate(read_lines(path), 1):
            id, _, characters = line.partition(" ")
            yield Row(f"{path}:{number}", id, [ord(character) - FIRST for character in characters])


def _text(folder: Path, info: dict[str, Any]) -> Path:
    return folder / f"text.{'rm' if info.get('merged') else 'ts'}.km{info['codes']}"
