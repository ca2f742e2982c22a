"""Discrete units of every utterance of a data dir."""

from pathlib import Path
from typing import Any

import numpy as np

from vqspeech import __version__, audio
from vqspeech.codec import Codec
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.parallel import in_order
from vqspeech.progress import progress, say
from vqspeech.units.model import model_sha256
from vqspeech.units.store import INFO, UNITS, Units, read_units, write_units


def extract_units(codec: Codec, data: DataDir, out: Path, skip_bad: bool = False, force: bool = False) -> Units:
    """Encode every utterance of `data` and write the units dir `out`.

    Raises VqspeechError for the first utterance that cannot be read; with `skip_bad` such are left out, and listed in
    `units.json`. Units of another model or other data in `out` are replaced only with `force`.
    """
    codec.require_codes()
    info = {**describe_units(codec), "data": str(data.path)}
    if not force:
        _keep_others(out, info["model_sha256"], info["data"])
    units, skipped = {}, {}

    def encode(id: str) -> np.ndarray | VqspeechError:
        try:
            # The audio of a data dir has been brought to the training level by vqspeech-prepare.
            return codec.encode(audio.read(data.wavs[id], codec.sample_rate), level=False)
        except VqspeechError as error:
            return error

    encoded = progress(in_order(encode, data.utterances), "units", len(data.utterances), "utt")
    for id, result in zip(data.utterances, encoded, strict=True):
        if not isinstance(result, VqspeechError):
            units[id] = result
            continue
        if not skip_bad:
            raise VqspeechError(f"utterance {id}: {result}") from result
        skipped[id] = str(result)
        say(f"skipped {id}: {result}")
    if not units:
        raise VqspeechError(f"{data.path}: no utterance could be encoded")
    info["skipped"] = skipped
    speakers = {id: data.utt2spk[id] for id in units}
    write_units(out, info, units, speakers)
    return Units(info, units, speakers)


def describe_units(codec: Codec) -> dict[str, Any]:
    """What units of a model are: `Units.info` as far as the model decides it."""
    return {
        "codes": codec.codes,
        "hop": codec.hop,
        "sample_rate": codec.sample_rate,
        "rate": codec.sample_rate / codec.hop,
        "model": codec.name,
        "model_sha256": model_sha256(codec),
        "vqspeech": __version__,
    }


def _keep_others(out: Path, sha256: str, data: str) -> None:
    """Raise VqspeechError when `out` holds other units than those of this model and data, which may be redone."""
    if not (out / UNITS).exists() and not (out / INFO).exists():
        return
    way_out = "replace them with -f, or name another folder with --out"
    try:
        info = read_units(out).info
    except VqspeechError as error:
        raise VqspeechError(f"{out} holds units already that cannot be read ({error}); {way_out}") from error
    if (info.get("model_sha256"), info.get("data")) != (sha256, data):
        raise VqspeechError(f"{out} holds units of another model or of other data already; {way_out}")
