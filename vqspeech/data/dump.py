"""Training audio: each recording trimmed, levelled and written as FLAC, by several processes at a time."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vqspeech import audio
from vqspeech.audio import AudioError, Pipe, Source
from vqspeech.data.labels import read_labels
from vqspeech.data.utterance import Utterance
from vqspeech.errors import VqspeechError
from vqspeech.parallel import in_processes

SHORTEST_SECONDS = 0.1
# Part of what a file is recognised by: to be raised whenever the normalisation changes.
NORMALISATION = 2


@dataclass(frozen=True, slots=True)
class Dumped:
    """A prepared file, its length, and what was trimmed from the start of the recording; in seconds."""

    path: Path
    duration: float
    offset: float


def dump_audio(
    utterances: Sequence[Utterance], folder: Path, sample_rate: int, nj: int = 1
) -> Iterator[tuple[Utterance, Dumped | AudioError]]:
    """Write `folder/SPEAKER/UTTERANCE.flac` for each utterance; yield it with the file or its error.

    A file that was made from the same recording in the same way is kept. `nj` processes work at a time.
    Raises OSError when a file cannot be written.
    """
    work = partial(_dump, folder=folder.resolve(), sample_rate=sample_rate)
    results = map(work, utterances) if nj <= 1 else in_processes(work, utterances, nj)
    yield from zip(utterances, results, strict=True)


def _dump(utterance: Utterance, folder: Path, sample_rate: int) -> Dumped | AudioError:
    path = folder / utterance.speaker / f"{utterance.id}.flac"
    try:
        made_from = _fingerprint(utterance.audio, sample_rate)
        dumped = _kept(path, made_from) or _made(path, made_from, utterance.audio, sample_rate)
        if utterance.labels and isinstance(utterance.audio, Path):
            _check_labels(utterance.labels, utterance.audio)
        return dumped
    except VqspeechError as error:
        return AudioError(utterance.fault(str(error)))


def _check_labels(labels: Path, recording: Path) -> None:
    """Refuse labels of something longer, and those in other units, as TIMIT's .phn in samples."""
    phones, seconds = read_labels(labels), audio.duration(recording)
    # Audio that was prepared before is trimmed, its labels are of the whole.
    if phones and phones[-1].end > seconds * 1.1 + 1:
        raise VqspeechError(f"{labels}: ends at {phones[-1].end:.1f} s, but {recording} is {seconds:.1f} s long")


def _made(path: Path, made_from: str, source: Source, sample_rate: int) -> Dumped:
    recording = audio.read(source, sample_rate)
    start, end = audio.speech_span(recording, sample_rate)
    waveform = recording[start:end]
    if not waveform.any():
        raise AudioError(f"{source}: holds nothing but digital silence")
    dumped = Dumped(path, len(waveform) / sample_rate, start / sample_rate)
    if dumped.duration < SHORTEST_SECONDS:
        raise AudioError(f"{source}: has only {dumped.duration:.3f} s of sound; {SHORTEST_SECONDS} s are needed")
    comment = json.dumps({"made_from": made_from, "offset": dumped.offset})
    audio.write(path, waveform * audio.level_gain(waveform, sample_rate), sample_rate, comment)
    return dumped


def _kept(path: Path, made_from: str) -> Dumped | None:
    """Return a whole file that was made from the same recording in the same way, if `path` is one."""
    if not path.exists():
        return None
    try:
        comment = json.loads(audio.comment(path))
        if comment["made_from"] == made_from and audio.is_whole(path):
            return Dumped(path, audio.duration(path), comment["offset"])
    except (AudioError, ValueError, KeyError, TypeError, RecursionError):
        pass  # not ours, or damaged
    return None


def _fingerprint(source: Source, sample_rate: int) -> str:
    """Return what tells whether a prepared file is up to date: its recording and how it is made."""
    facts: list[object] = [NORMALISATION, sample_rate, str(source)]
    if not isinstance(source, Pipe):
        if not source.is_file():
            raise AudioError(f"{source}: no such file")
        facts += [source.stat().st_size, source.stat().st_mtime_ns]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
