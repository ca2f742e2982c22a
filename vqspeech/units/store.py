"""Units on disk: `units.txt`, one `utterance 12 12 5 ...` a line, and `units.json`, what they are."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write

UNITS = "units.txt"
INFO = "units.json"


@dataclass(frozen=True)
class Units:
    """A units dir in memory."""

    info: dict[str, Any]
    """codes (K), hop (samples), sample_rate, rate (Hz), model, model_sha256, data, vqspeech, skipped."""
    units: dict[str, np.ndarray]
    """Utterance to `[N]` int64, frame-synchronous, 0-based, runs kept."""


def write_units(folder: Path, info: dict[str, Any], units: dict[str, np.ndarray]) -> None:
    """Write a units dir, sorted by utterance; each file appears as a whole, `units.json` last."""
    with atomic_write(folder / UNITS) as file:
        for id in sorted(units, key=str.encode):
            file.write(f"{id} {' '.join(map(str, units[id].tolist()))}\n")
    with atomic_write(folder / INFO) as file:
        json.dump(info, file, indent=2)
        file.write("\n")


def read_units(folder: Path) -> Units:
    """Read a units dir; raises VqspeechError naming file and line of what is wrong in it."""
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        lines = (folder / UNITS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: not a units dir: {error.filename} is missing") from error
    except (OSError, ValueError) as error:
        raise VqspeechError(f"{folder}: cannot read the units: {error}") from error
    units: dict[str, np.ndarray] = {}
    for number, line in enumerate(lines, 1):
        where = f"{folder / UNITS}:{number}"
        id, *codes = line.split()
        if id in units:
            raise VqspeechError(f"{where}: utterance {id} stands twice")
        try:
            units[id] = np.array(codes, dtype=np.int64)
        except ValueError as error:
            raise VqspeechError(f"{where}: not a number in {line[:40]!r}") from error
        if not codes or units[id].min() < 0 or units[id].max() >= info["codes"]:
            raise VqspeechError(f"{where}: utterance {id} needs units from 0 to {info['codes'] - 1}")
    return Units(info, units)
