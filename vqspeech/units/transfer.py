"""Units dirs to other toolkits' formats and back."""

import json
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import soundfile

from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.units.formats import FORMATS, Audio, Export
from vqspeech.units.formats.base import check_rows, write_durations
from vqspeech.units.store import INFO, Units, read_info
from vqspeech.units.tokens import expanded, kept, merged

DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def export_units(
    units: Units, format: str, out: Path, merge: bool = False, data: DataDir | None = None, force: bool = False
) -> None:
    """Write units in a format of `FORMATS` as the folder `out`, whole or not at all.

    With `merge` a run of one unit becomes one token; how long each lasts is kept. `data` adds texts and audio. An
    earlier export in `out` is replaced with `force`, and nothing else ever is.
    Raises VqspeechError when `out` is there already, and for an utterance whose audio is missing or has another length.
    """
    earlier = _earlier_export(out, force)
    tokens = {id: (merged if merge else kept)(units.units[id]) for id in sorted(units.units, key=str.encode)}
    info = {**units.info, "merged": merge, "format": format}
    texts = {id: data.texts[id] for id in tokens if id in data.texts} if data else {}
    export = Export(info, tokens, units.speakers, texts, _audio(units, data) if data else {})
    place = out.with_name(f".{out.name}.new") if earlier else out
    with atomic_folder(place) as folder:
        FORMATS[format].write(export, folder, out.resolve())
        if merge:
            write_durations(export, folder)
        (folder / INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    if earlier:
        shutil.rmtree(out)
        place.rename(out)


def import_units(folder: Path) -> Units:
    """Read an exported folder back, frame-synchronous again; raises VqspeechError that names what is wrong in it."""
    if not folder.is_dir():
        raise VqspeechError(f"{folder}: no such folder; name what vqspeech-export wrote")
    try:
        info = read_info(folder / INFO)
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: has no {INFO}, which tells what the units are: not an export") from error
    format = info.pop("format", None)
    if format not in FORMATS:
        raise VqspeechError(f"{folder / INFO}: not an export: its format is {format!r}")
    try:
        tokens, speakers = check_rows(FORMATS[format].read(folder, info), info, folder)
    except DAMAGE as error:
        raise VqspeechError(f"{folder}: damaged: {' '.join(str(error).split()) or type(error).__name__}") from error
    info.pop("merged", None)
    return Units(info, {id: expanded(row) for id, row in tokens.items()}, speakers)


def _earlier_export(out: Path, force: bool) -> bool:
    """Whether `out` is an export to be replaced; raises VqspeechError without `force` and when it is something else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    way_out = "name another folder with --out"
    if not force:
        raise VqspeechError(f"{out}: exists already; replace it with -f, or {way_out}")
    try:
        exported = not out.is_symlink() and "format" in read_info(out / INFO)
    except (OSError, VqspeechError):
        exported = False
    if not exported:
        raise VqspeechError(f"{out}: is not what vqspeech-export wrote, and stays: {way_out}")
    return True


def _audio(units: Units, data: DataDir) -> dict[str, Audio]:
    """Every utterance's audio; raises VqspeechError for one that is missing or of another length than its units."""
    found = {}
    hop, rate = units.info["hop"], units.info["sample_rate"]
    for id, row in units.units.items():
        if id not in data.wavs:
            raise VqspeechError(f"{data.path}: lacks utterance {id}, which the units have")
        path = Path(data.wavs[id])
        try:
            file = soundfile.info(path)
        except (OSError, soundfile.SoundFileError) as error:
            raise VqspeechError(f"utterance {id}: cannot read {path}: {error}") from error
        expected = file.frames * rate / file.samplerate / hop
        if abs(len(row) - expected) > 1:
            raise VqspeechError(f"utterance {id}: {len(row)} units, but {path} is {expected:.1f} frames long")
        found[id] = Audio(path, file.frames, file.samplerate)
    return found
