"""Units dirs to other toolkits' formats and back."""

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from vqspeech.audio import file_of
from vqspeech.data.kaldi import DataDir
from vqspeech.data.table import Table
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.units.bpe import MODEL, Bpe, read_bpe
from vqspeech.units.formats import FORMATS, HOLD_UNITS, Audio, Export
from vqspeech.units.formats.base import write_rows
from vqspeech.units.rows import LONGEST_RUN, MOST_FRAMES, Row, checked, read_rows
from vqspeech.units.store import INFO, SPEAKERS, Units, check_whole, read_info, read_units, write_speakers
from vqspeech.units.tokens import Tokens, expanded, kept, merged

DURATIONS = "durations.txt"


def export_units(
    units: Units,
    format: str,
    out: Path,
    merge: bool = False,
    data: DataDir | None = None,
    bpe: Bpe | None = None,
    force: bool = False,
) -> None:
    """Write units in a format of `FORMATS` as the folder `out`, whole or not at all.

    With `merge` a run of one unit becomes one token; how long each lasts is kept. `data` adds texts and audio. With
    `bpe` tokens are its pieces, and it is saved beside. An earlier export in `out` is replaced with `force`, and
    nothing else ever is.
    Raises VqspeechError when `out` is there already, and for an utterance whose audio is missing or has another length.
    """
    out = out.resolve()
    earlier = _earlier_export(out, force)
    rows = {id: tokens_of(units.units[id], merge) for id in sorted(units.units, key=str.encode)}
    info = {**units.info, "merged": merge, "format": format}
    if bpe:
        info["bpe"] = {"pieces": len(bpe), "trained_on": bpe.trained_on}
    texts = {id: data.texts[id] for id in rows if id in data.texts} if data else {}
    export = Export(info, rows, units.speakers, texts, _audio(units, data) if data else {}, bpe)
    beside = out.with_name(f".{out.name}.new")
    shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
    place = beside if earlier else out
    with atomic_folder(place) as folder:
        FORMATS[format].write(export, folder, out)
        if units.speakers:
            # Few formats have room for them.
            write_speakers(folder, rows, units.speakers)
        if merge:
            # Most formats have no room for it.
            write_rows(folder / DURATIONS, ((id, row.durations) for id, row in rows.items()))
        if bpe:
            (folder / MODEL).write_bytes(bpe.proto)
        (folder / INFO).write_text(json.dumps(info, indent=2) + "\n", encoding="utf-8")
    if earlier:
        shutil.rmtree(out)
        place.rename(out)


def import_units(folder: Path) -> Units:
    """Read an exported folder back, frame-synchronous again; raises VqspeechError that names what is wrong in it."""
    info = _export_info(folder)
    format = str(info.pop("format", None))
    if format not in FORMATS:
        raise VqspeechError(f"{folder / INFO}: not an export: its format is {format}")
    units: dict[str, np.ndarray] = {}
    speakers: dict[str, str] = {}
    frames = 0
    try:
        for row in _rows(folder, format, info):
            durations = np.ones_like(row.units) if row.durations is None else row.durations
            if durations.max() > LONGEST_RUN:
                raise VqspeechError(f"{row.where}: utterance {row.id}: a unit lasts more than {LONGEST_RUN} frames")
            # In Python's integers, which do not overflow.
            frames += sum(durations.tolist())
            if frames > MOST_FRAMES:
                raise VqspeechError(f"{row.where}: utterance {row.id}: more than {MOST_FRAMES} frames in all")
            units[row.id] = expanded(Tokens(row.units, durations))
            if row.speaker:
                speakers[row.id] = row.speaker
    except (VqspeechError, MemoryError):
        raise
    except Exception as error:  # zip, gzip, NumPy, Arrow and JSON each have errors of their own for damage
        raise VqspeechError(f"{folder}: damaged: {' '.join(str(error).split()) or type(error).__name__}") from error
    check_whole(units, info, folder)
    if (folder / SPEAKERS).exists():
        speakers = {id: speaker for id, speaker in Table.read(folder / SPEAKERS).rows.items() if id in units} | speakers
    return Units({key: value for key, value in info.items() if key not in ("merged", "bpe")}, units, speakers)


def read_units_or_export(folder: Path) -> Units:
    """Read a units dir, or what was exported of one; raises VqspeechError that names what is wrong in it."""
    return import_units(folder) if "format" in _export_info(folder) else read_units(folder)


def tokens_of(units: np.ndarray, merge: bool) -> Tokens:
    """Frame-synchronous units `[N]` as tokens, one a run or one a frame."""
    return merged(units) if merge else kept(units)


def train_bpe(train: Units, units: Units, size: int, merge: bool) -> Bpe:
    """Learn a BPE for `units` from those of the training split, runs merged or kept.

    Raises VqspeechError when these are of another model, and as `Bpe.train` does.
    """
    _check_same_model(train.info, units)
    rows = (tokens_of(row, merge).units for row in train.units.values())
    return Bpe.train(rows, train.info["codes"], size, train.info.get("data"))


def bpe_of_export(folder: Path, units: Units, merge: bool) -> Bpe:
    """The BPE of an earlier export, for other units of the same model.

    Raises VqspeechError when it has none, or one of another model's units, or of runs merged where these are kept.
    """
    info = _export_info(folder)
    bpe = _bpe(folder, info)
    _check_same_model(info, units)
    if bool(info.get("merged")) != merge:
        raise VqspeechError(f"the BPE of {folder} is of runs {'kept: leave out' if merge else 'merged: give'} --dedup")
    return bpe


def _check_same_model(info: dict[str, Any], units: Units) -> None:
    for key in ("codes", "model_sha256"):
        if info.get(key) != units.info.get(key):
            raise VqspeechError(
                f"a BPE of another model's units: {key} {info.get(key)}, these have {units.info.get(key)}"
            )


def _export_info(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise VqspeechError(f"{folder}: no such folder; name what vqspeech-units or vqspeech-export wrote")
    try:
        return read_info(folder / INFO)
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: has no {INFO}, which tells what the units are") from error


def _bpe(folder: Path, info: dict[str, Any]) -> Bpe:
    noted = info.get("bpe")
    if not isinstance(noted, dict):
        raise VqspeechError(f"{folder}: was exported without --bpe")
    bpe = read_bpe(folder, info["codes"], noted.get("trained_on"))
    if len(bpe) != noted.get("pieces"):
        raise VqspeechError(f"{folder / MODEL}: has {len(bpe)} pieces, {INFO} tells of {noted.get('pieces')}")
    return bpe


def _rows(folder: Path, format: str, info: dict[str, Any]) -> Iterator[Row]:
    """The utterances of an export as tokens that are units, checked."""
    rows: Iterable[Row] = FORMATS[format].read(folder, info)
    if "bpe" in info and format not in HOLD_UNITS:
        rows = _without_bpe(rows, _bpe(folder, info))
    if info.get("merged"):
        rows = _lasting(rows, folder / DURATIONS)
    return checked(rows, info["codes"])


def _without_bpe(rows: Iterable[Row], bpe: Bpe) -> Iterator[Row]:
    """Rows of pieces as rows of units. How long units last follows from other files, not from their pieces."""
    count = 0
    for row in checked(rows, len(bpe), called="piece"):
        count += bpe.count(row.units)
        if count > MOST_FRAMES:
            raise VqspeechError(f"{row.where}: utterance {row.id}: more than {MOST_FRAMES} units in all")
        yield row._replace(units=bpe.units(row.units), durations=None)


def _lasting(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """Rows of merged runs with how long each lasts, by `durations.txt` where the format itself does not tell."""
    lasting = {row.id: row.units for row in read_rows(path)} if path.exists() else {}
    for row in rows:
        durations = lasting.get(row.id) if row.durations is None else row.durations
        if durations is None:
            raise VqspeechError(
                f"{row.where}: utterance {row.id}: how long its units last is not known; {path.name} should tell"
            )
        yield row._replace(durations=durations)


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
        path = file_of(data.wavs[id])
        try:
            file = soundfile.info(path)
        except (OSError, soundfile.SoundFileError) as error:
            raise VqspeechError(f"utterance {id}: cannot read {path}: {error}") from error
        expected = file.frames * rate / file.samplerate / hop
        if abs(len(row) - expected) > 1:
            raise VqspeechError(f"utterance {id}: {len(row)} units, but {path} is {expected:.1f} frames long")
        found[id] = Audio(path, file.frames, file.samplerate)
    return found
