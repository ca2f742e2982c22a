"""Units spoken again: many utterances, in one or several voices, into a folder of wavs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.errors import VqspeechError, did_you_mean
from vqspeech.files import atomic_write, check_id
from vqspeech.progress import meter, say
from vqspeech.units.rows import read_lines

SOURCE = "source"
"""The voice that is each utterance's own speaker."""


@dataclass(frozen=True)
class Rendering:
    """One utterance in one voice."""

    units: np.ndarray
    """[N] int64."""
    speaker: str
    path: Path


def resynthesise(
    codec: Codec,
    units: Mapping[str, np.ndarray],
    voices: Sequence[str],
    out: Path,
    utt2spk: Mapping[str, str] | None = None,
    temperature: float | None = None,
    seed: int = 0,
    force: bool = False,
) -> list[Path]:
    """Write every utterance in every voice, `out/<voice>/<utterance>.wav`, and list them in `out/wav.scp`.

    A voice is a speaker of the model or `source`, the utterance's own speaker, whom `utt2spk` names. Wavs
    that exist are kept, and counted, unless `force`. Returns the wavs, voice by voice.
    Raises VqspeechError, before anything is written, for an unknown speaker and for an unsafe id.
    """
    wanted = [
        Rendering(units[id], _speaker(codec, id, voice, utt2spk or {}), out / voice / f"{check_id(id)}.wav")
        for voice in voices
        for id in units
    ]
    missing = [one for one in wanted if force or not one.path.exists()]
    if kept := len(wanted) - len(missing):
        say(f"kept {kept} of {len(wanted)} wavs, which exist in {out} already; -f makes them anew")
    # A batch takes as long as its longest stream, so streams of like length go together.
    missing.sort(key=lambda one: len(one.units), reverse=True)
    seconds_per_unit = codec.hop / codec.sample_rate
    total = sum(len(one.units) for one in missing)
    with meter("decode", round(total * seconds_per_unit), "s of audio") as show:
        done = 0
        for start in range(0, len(missing), codec.streams):
            batch = missing[start : start + codec.streams]
            size = sum(len(one.units) for one in batch)
            waveforms = codec.decode_batch(
                [one.units for one in batch],
                [one.speaker for one in batch],
                temperature,
                seed,
                heard=lambda share, done=done, size=size: show(round((done + share * size) * seconds_per_unit)),
            )
            done += size
            for one, waveform in zip(batch, waveforms, strict=True):
                audio.write(one.path, waveform, codec.sample_rate)
    _write_scp(out)
    return [one.path for one in wanted]


def choose(ids: Iterable[str], wanted: str | None) -> list[str]:
    """Pick utterances: all for None, evenly spread ones for a number, or those at the line starts of a file.

    Raises VqspeechError for an id in the file that is not among `ids`.
    """
    known = sorted(ids)
    if wanted is None:
        return known
    if wanted.isdecimal():
        count = min(int(wanted), len(known))
        return [known[index * len(known) // count] for index in range(count)]
    named = [line.split()[0] for line in read_lines(Path(wanted), by_hand=True) if line.strip()]
    for id in named:
        if id not in known:
            raise VqspeechError(f"{wanted}: there are no units of utterance {id!r}{did_you_mean(id, known)}")
    return named


def _speaker(codec: Codec, id: str, voice: str, utt2spk: Mapping[str, str]) -> str:
    if voice != SOURCE:
        codec.speaker_index(check_id(voice))
        return voice
    if id not in utt2spk:
        raise VqspeechError(f"the speaker of utterance {id!r} is not known: the data directory does not hold it")
    codec.speaker_index(utt2spk[id])
    return utt2spk[id]


def _write_scp(out: Path) -> None:
    """List every wav under `out`, those of earlier runs too; the key is `<voice>-<utterance>`."""
    wavs = {f"{path.parent.name}-{path.stem}": path.resolve() for path in out.glob("[!.]*/[!.]*.wav")}
    with atomic_write(out / "wav.scp") as file:
        file.writelines(f"{key} {wavs[key]}\n" for key in sorted(wavs, key=str.encode))
