"""lhotse: cuts with a frame-synchronous array of units and with tokens, as icefall's recipes take them."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.extras import FORMATS, require
from vqspeech.units.formats.base import Export
from vqspeech.units.rows import Row, whole_numbers
from vqspeech.units.tokens import expanded, merged

CUTS, ARRAYS = "cuts.jsonl.gz", "arrays"
LONGEST_LINE = 2**26
"""Bytes: hours of units; a compressed line could be without end."""


class Lhotse:
    """`cuts.jsonl.gz`, and in `arrays/` the units of each.

    A cut has `units`, a temporal array of one unit a frame, and `tokens` and `durations`, lists of its tokens. lhotse
    rounds a cut's frames to the nearest number: of a last unit that speaks for less than half a frame only
    `cut.units.load()` tells, not `cut.load_units()`.
    """

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """As `Format.write`."""
        require(["lhotse"], FORMATS)
        import lhotse
        from lhotse.features.io import NumpyFilesWriter

        shift = export.frame_seconds
        with NumpyFilesWriter(folder / ARRAYS) as writer, lhotse.CutSet.open_writer(folder / CUTS) as cuts:
            for id, tokens in export.tokens.items():
                units = expanded(export.units[id])
                audio = export.audio.get(id)
                duration = audio.samples / audio.rate if audio else len(units) * shift
                recording = None
                if audio:
                    source = lhotse.audio.AudioSource(type="file", channels=[0], source=str(audio.path.resolve()))
                    recording = lhotse.Recording(id, [source], audio.rate, audio.samples, duration)
                spoken = lhotse.SupervisionSegment(
                    id, id, 0.0, duration, text=export.texts.get(id), speaker=export.speakers.get(id)
                )
                custom: dict[str, Any] = {"tokens": tokens.units.tolist(), "durations": tokens.durations.tolist()}
                cut = lhotse.MonoCut(id, 0.0, duration, 0, [spoken], recording=recording, custom=custom)
                cut.units = writer.store_array(id, units, frame_shift=shift, temporal_dim=0, start=0.0)
                cut.units.array.storage_path = str(home / ARRAYS)
                cuts.write(cut)

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """As `Format.read`: by JSON and NumPy alone, since lhotse itself would run a command that a manifest names."""
        path, arrays = folder / CUTS, (folder / ARRAYS).resolve()
        with gzip.open(path, "rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
                where = f"{path}:{number}"
                if len(line) > LONGEST_LINE:
                    raise VqspeechError(f"{where}: longer than {LONGEST_LINE} bytes")
                cut = json.loads(line)
                array = cut["custom"]["units"]["array"]
                place = (arrays / str(array["storage_key"])).resolve()
                if array["storage_type"] != "numpy_files" or not place.is_relative_to(arrays):
                    raise VqspeechError(f"{where}: its units are not a NumPy file in {ARRAYS}")
                # Mapped, an array is as long as its file, whatever the header says.
                units = whole_numbers(np.load(place, mmap_mode="r", allow_pickle=False)).copy()
                tokens = merged(units) if info.get("merged") else (units, np.ones_like(units))
                speaker = next((spoken.get("speaker") for spoken in cut.get("supervisions", [])), None)
                yield Row(where, cut["id"], *tokens, speaker)
