"""Word error rate of Whisper transcripts (Radford et al. 2022): do people's words survive? Optional.

It needs the extra `asr-judge` and a local CTranslate2 model folder, such as that of Whisper tiny.en; nothing
is ever downloaded here. Both texts pass Whisper's English normaliser before they are compared.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, interval, ratio
from vqspeech.evaluation.judges import find_weights
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.extras import require

if TYPE_CHECKING:
    from whisper_normalizer.english import EnglishTextNormalizer

PACKAGES = ("faster-whisper", "jiwer", "whisper-normalizer")
VARIABLE = "VQSPEECH_WHISPER"
WEIGHTS = "whisper-tiny.en/model.bin"
SAMPLE_RATE = 16000


class Errors(NamedTuple):
    """Of one transcript, beside what its reference holds."""

    wrong_words: int
    words: int
    wrong_characters: int
    characters: int


@dataclass(frozen=True)
class ErrorRates:
    """Errors over all utterances, per reference word and per reference character."""

    wer: float
    wer_interval: Interval
    cer: float
    cer_interval: Interval
    utterances: int


def find_whisper(folder: Path | None = None, judges: Path | None = None) -> Path:
    """The judge's folder: the one given, else `$VQSPEECH_WHISPER`, else `whisper-tiny.en` among the `judges`.

    Raises NotInstalled or CannotMeasure that says what is missing.
    """
    require(PACKAGES, "the extra asr-judge")
    named = folder or os.environ.get(VARIABLE)
    if not named:
        return find_weights(judges, WEIGHTS).parent
    if not (Path(named) / "model.bin").is_file():
        raise CannotMeasure(f"{named} holds no CTranslate2 model (model.bin)")
    return Path(named)


def load_whisper(folder: Path, sample_rate: int) -> Callable[[np.ndarray], str]:
    """What the Whisper model in `folder` hears, greedily and on the CPU, in a waveform [T] at `sample_rate`."""
    import soxr
    from faster_whisper import WhisperModel

    model = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)

    def hear(waveform: np.ndarray) -> str:
        audio = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
        # Temperature 0 alone: the fall-back to sampling would differ from run to run.
        segments, _ = model.transcribe(audio, language="en", beam_size=1, temperature=0.0)
        return " ".join(segment.text.strip() for segment in segments)

    return hear


def count_errors(reference: str, transcript: str) -> Errors | None:
    """Count what `transcript` has wrong of `reference`, both normalised; None for a reference without a word."""
    import jiwer

    normalise = _normaliser()
    said, heard = normalise(reference), normalise(transcript)
    if not said:
        return None
    counts: list[int] = []
    for compare in (jiwer.process_words, jiwer.process_characters):
        found = compare(said, heard)
        counts += [
            found.substitutions + found.deletions + found.insertions,
            found.hits + found.substitutions + found.deletions,
        ]
    return Errors(*counts)


def error_rates(references: Mapping[str, str], transcripts: Mapping[str, str]) -> ErrorRates:
    """Score `transcripts` against the `references` of the same names.

    Raises CannotMeasure when no reference holds a word.
    """
    found = [errors for name, text in transcripts.items() if (errors := count_errors(references[name], text))]
    if not found:
        raise CannotMeasure("no utterance with words")
    counts = np.array(found)
    rates = []
    for of_kind in (counts[:, :2], counts[:, 2:]):
        wrong, said = of_kind.sum(axis=0)
        rates += [float(wrong / said), interval(of_kind, ratio)]
    return ErrorRates(*rates, len(found))


@cache
def _normaliser() -> "EnglishTextNormalizer":
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()
