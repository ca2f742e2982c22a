"""Discrete units of every utterance of a data dir."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vqspeech import __version__, audio
from vqspeech.codec import Codec
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.lock import locked
from vqspeech.parallel import Part, in_order, in_processes
from vqspeech.progress import progress, say
from vqspeech.units.model import model_sha256
from vqspeech.units.shards import Shards
from vqspeech.units.store import INFO, UNITS, read_units_info

SHARD_UTTERANCES = 500
SHARD_FRAMES = 1_000_000
"""A shard ends with so many utterances, or so many frames, an hour at 250 Hz.

An interruption costs one at most, and the few utterances that were begun ahead.
"""

WORTH_A_PROCESS = 100_000
"""Frames, some minutes of speech: fewer are encoded before a process has begun."""
UTTERANCE_SECONDS = 4.0
"""Of one whose length the data dir does not tell."""

Encoded = np.ndarray | VqspeechError


def extract_units(
    codec: Codec,
    data: DataDir,
    out: Path,
    nj: int = 1,
    part: Part | None = None,
    skip_bad: bool = False,
    force: bool = False,
) -> None:
    """Encode every utterance of `data`, by `nj` processes at most, and write the units dir `out`.

    What is encoded gathers in shards beside `out`, which are joined at the end. After an interruption of any kind
    the same call encodes what is in no whole shard yet. The result is the same to the byte, and so it is for any `nj`.
    One process has threads, as many as torch has; of several, which a data dir of minutes is not worth, each has one.
    With `part` only its utterances are encoded, and the shards stay for a call without.

    Raises VqspeechError when another process is at work there, unless both do parts.
    Raises VqspeechError for the first utterance that cannot be read; with `skip_bad` such are left out, and listed in
    `units.json`. Units of another model or other data are replaced only with `force`, and so are such shards.
    """
    codec.require_codes()
    info = {**describe_units(codec), "data": str(data.path)}
    shards = Shards(out, info, data)
    if out.exists() and not out.is_dir():
        raise VqspeechError(f"{out}: is not a folder; name another with --out")
    if not force:
        # A run that was killed as it joined its shards has not described the units yet.
        if (out / INFO).exists() or not shards.paths():
            _keep_others(out, out, info)
        for first in shards.paths()[:1]:
            _keep_others(first, out, info)
    with locked(shards.folder, shared=part is not None):
        _extract(codec, data, shards, nj, part, skip_bad)
        if part is None:
            shards.join()


def _extract(codec: Codec, data: DataDir, shards: Shards, nj: int, part: Part | None, skip_bad: bool) -> None:
    """Write the shards that are missing."""
    ids = data.utterances
    span = range(len(ids)) if part is None else part.span(len(ids))
    missing = shards.keep(span, skip_bad)
    wanted = [ids[number] for gap in missing for number in gap]
    if done := len(span) - len(wanted):
        say(f"{done} of {len(span)} utterances are encoded already")
    sources = [data.wavs[id] for id in wanted]
    nj = min(nj, _most_processes(codec, data, wanted))
    # The audio of a data dir has been brought to the training level by vqspeech-prepare.
    if nj == 1:
        work = in_order(partial(_encode, codec), sources)
    else:
        work = in_processes(partial(_encode_apart, Path(codec.name)), sources, nj)
    with closing(work):
        results = progress(work, "units", len(sources), "utt")
        for gap in missing:
            first = gap.start
            encoded = zip((ids[number] for number in gap), results, strict=False)
            for units, skipped in _sharded(encoded, skip_bad):
                shards.add(first, units, skipped)
                first += len(units) + len(skipped)


def _most_processes(codec: Codec, data: DataDir, ids: Iterable[str]) -> int:
    """How many there is work for."""
    seconds = sum(data.utt2dur.get(id, UTTERANCE_SECONDS) for id in ids)
    return max(1, round(seconds * codec.sample_rate / codec.hop / WORTH_A_PROCESS))


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


def _encode(codec: Codec, source: audio.Source) -> Encoded:
    """Units `[N]` of a recording of any length, or why there are none."""
    try:
        return np.concatenate(list(codec.encode_blocks(audio.read_blocks(source, codec.sample_rate))))
    except VqspeechError as error:
        return error


def _encode_apart(model: Path, source: audio.Source) -> Encoded:
    """`_encode` in a process of its own."""
    return _encode(_own_codec(model), source)


@cache
def _own_codec(model: Path) -> Codec:
    torch.set_num_threads(1)
    return Codec.load(model)


def _sharded(
    encoded: Iterable[tuple[str, Encoded]], skip_bad: bool
) -> Iterator[tuple[dict[str, np.ndarray], dict[str, str]]]:
    """Gather utterances into shards: the units of each, and why there are none of the others."""
    units: dict[str, np.ndarray] = {}
    skipped: dict[str, str] = {}
    frames = 0
    for id, result in encoded:
        if not isinstance(result, VqspeechError):
            units[id] = result
            frames += len(result)
        elif skip_bad:
            skipped[id] = str(result)
            say(f"skipped {id}: {result}")
        else:
            raise VqspeechError(f"utterance {id}: {result}") from result
        if len(units) + len(skipped) == SHARD_UTTERANCES or frames >= SHARD_FRAMES:
            yield units, skipped
            units, skipped, frames = {}, {}, 0
    if units or skipped:
        yield units, skipped


def _keep_others(found: Path, out: Path, ours: dict[str, Any]) -> None:
    """Raise VqspeechError when `found` holds other units than those of this model and data, which may be redone."""
    if not (found / UNITS).exists() and not (found / INFO).exists():
        return
    way_out = "replace them with -f, or name another folder with --out"
    try:
        info = read_units_info(found)
    except VqspeechError as error:
        raise VqspeechError(f"{out} holds units already that cannot be read ({error}); {way_out}") from error
    if any(info.get(key) != ours[key] for key in ("model_sha256", "data")):
        begun = "" if found == out else f", begun in {found.parent}"
        raise VqspeechError(f"{out} holds units of another model or of other data already{begun}; {way_out}")
