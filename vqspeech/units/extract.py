"""Discrete units of every utterance of a data dir."""

import hashlib
from pathlib import Path

from vqspeech import __version__, audio
from vqspeech.codec import Codec
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.hub import WEIGHTS
from vqspeech.progress import progress, say
from vqspeech.units.store import Units, write_units


def extract_units(codec: Codec, data: DataDir, out: Path, skip_bad: bool = False) -> Units:
    """Encode every utterance of `data` and write the units dir `out`.

    Raises VqspeechError for the first utterance that cannot be read; with `skip_bad` such are left out, and listed in
    `units.json`.
    """
    units, skipped = {}, {}
    for id in progress(data.utterances, "units", unit="utt"):
        try:
            # The audio of a data dir has been brought to the training level by vqspeech-prepare.
            units[id] = codec.encode(audio.read(data.wavs[id], codec.sample_rate), level=False)
        except VqspeechError as error:
            if not skip_bad:
                raise VqspeechError(f"utterance {id}: {error}") from error
            skipped[id] = str(error)
            say(f"skipped {id}: {error}")
    if not units:
        raise VqspeechError(f"{data.path}: no utterance could be encoded")
    info = {
        "codes": codec.codes,
        "hop": codec.hop,
        "sample_rate": codec.sample_rate,
        "rate": codec.sample_rate / codec.hop,
        "model": codec.name,
        "model_sha256": hashlib.sha256((Path(codec.name) / WEIGHTS).read_bytes()).hexdigest(),
        "data": str(data.path),
        "vqspeech": __version__,
        "skipped": skipped,
    }
    write_units(out, info, units)
    return Units(info, units)
