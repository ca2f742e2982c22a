"""Units on disk: `units.txt`, one `utterance 12 12 5 ...` a line; `units.json`, what they are; `utt2spk`, who spoke."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.config import HIGHEST_RATE, MOST_CODES
from vqspeech.data.table import Table
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.units.rows import checked, read_lines, read_rows

UNITS = "units.txt"
INFO = "units.json"
SPEAKERS = "utt2spk"
COUNTS = ("utterances", "frames")


@dataclass(frozen=True)
class Units:
    """A units dir in memory."""

    info: dict[str, Any]
    """codes (K), hop (samples), sample_rate, rate (Hz), model, model_sha256, data, vqspeech, skipped; utterances and
    frames, how many there are."""
    units: dict[str, np.ndarray]
    """Utterance to `[N]` int64, frame-synchronous, 0-based, runs kept."""
    speakers: dict[str, str] = field(default_factory=dict)
    """Utterance to speaker, where that is known."""


def write_units(
    folder: Path, info: dict[str, Any], units: dict[str, np.ndarray], speakers: Mapping[str, str] | None = None
) -> None:
    """Write a units dir, sorted by utterance; each file appears as a whole, `units.json` last.

    What described other units there goes first: without it a folder is no units dir.
    """
    (folder / INFO).unlink(missing_ok=True)
    if not speakers:
        (folder / SPEAKERS).unlink(missing_ok=True)  # of other units
    else:
        write_speakers(folder, units, speakers)
    with atomic_write(folder / UNITS) as file:
        for id in sorted(units, key=str.encode):
            file.write(f"{id} {' '.join(map(str, units[id].tolist()))}\n")
    _write_info(folder, {**info, "utterances": len(units), "frames": sum(map(len, units.values()))})


def write_speakers(folder: Path, utterances: Iterable[str], speakers: Mapping[str, str]) -> None:
    """Write `utt2spk`, sorted by utterance, of those whose speakers are known."""
    with atomic_write(folder / SPEAKERS) as file:
        file.writelines(f"{id} {speakers[id]}\n" for id in sorted(utterances, key=str.encode) if id in speakers)


def join_units(folder: Path, info: dict[str, Any], parts: Sequence[Path]) -> None:
    """Write as `write_units` does what the units dirs of consecutive utterances make together, in little memory."""
    (folder / INFO).unlink(missing_ok=True)
    for name in (SPEAKERS, UNITS):
        with atomic_write(folder / name, "wb") as whole:
            for part in parts:
                with (part / name).open("rb") as file:
                    shutil.copyfileobj(file, whole)
    found = [read_info(part / INFO) for part in parts]
    _write_info(folder, {**info, **{name: sum(one[name] for one in found) for name in COUNTS}})


def read_units(folder: Path) -> Units:
    """Read a units dir; raises VqspeechError naming file and line of what is wrong in it."""
    info = read_units_info(folder)
    units = {row.id: row.units for row in checked(read_rows(folder / UNITS), info["codes"])}
    check_whole(units, info, folder)
    utt2spk = folder / SPEAKERS
    return Units(info, units, Table.read(utt2spk).rows if utt2spk.exists() else {})


def check_whole(units: Mapping[str, np.ndarray], info: Mapping[str, Any], folder: Path) -> None:
    """Raise VqspeechError when there are more or fewer units than their description tells of, if it does."""
    found = {"utterances": len(units), "frames": sum(map(len, units.values()))}
    for name, count in found.items():
        if info.get(name, count) != count:
            raise VqspeechError(f"{folder}: damaged: holds {count} {name}, its {INFO} tells of {info[name]}")


def read_units_info(folder: Path) -> dict[str, Any]:
    """What the units of a units dir are, without the units; raises VqspeechError when it is none."""
    for name in (INFO, UNITS):
        if not (folder / name).exists():
            raise VqspeechError(f"{folder}: not a units dir: {folder / name} is missing")
    info = read_info(folder / INFO)
    if "format" in info:
        raise VqspeechError(f"{folder}: is an export, not a units dir; vqspeech-import makes one of it")
    return info


def _write_info(folder: Path, info: dict[str, Any]) -> None:
    with atomic_write(folder / INFO) as file:
        json.dump(info, file, indent=2)
        file.write("\n")


def read_info(path: Path) -> dict[str, Any]:
    """What units are, from `units.json`; raises VqspeechError with file and line, and OSError."""
    text = "\n".join(read_lines(path, by_hand=True))
    try:
        info = json.loads(text)
    except json.JSONDecodeError as error:
        raise VqspeechError(f"{path}:{error.lineno}: not JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise VqspeechError(f"{path}:1: not JSON that can be read: {error}") from error
    if not isinstance(info, dict):
        raise VqspeechError(f"{path}:1: expected an object {{...}}, found {text[:40]!r}")
    for key, most in {"codes": MOST_CODES, "hop": 2**20, "sample_rate": HIGHEST_RATE}.items():
        value = info.get(key)
        if type(value) is not int or not 1 <= value <= most:
            line = next((number for number, line in enumerate(text.splitlines(), 1) if f'"{key}"' in line), 1)
            raise VqspeechError(f"{path}:{line}: {key} has to be a whole number from 1 to {most}, found {value!r}")
    return info
