"""Word error rate of Whisper transcripts (Radford et al. 2022): do people's words survive? Optional.

It needs the extra `asr-judge` and a local CTranslate2 model folder, such as that of Whisper tiny.en; nothing
is ever downloaded here. Both texts pass Whisper's English normaliser before they are compared.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, interval, ratio
from vqspeech.evaluation.judges import find_weights
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.extras import require

PACKAGES = ("faster-whisper", "jiwer", "whisper-normalizer")
VARIABLE = "VQSPEECH_WHISPER"
WEIGHTS = "whisper-tiny.en/model.bin"
SAMPLE_RATE = 16000


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


def error_rates(references: Mapping[str, str], transcripts: Mapping[str, str]) -> ErrorRates:
    """Score `transcripts` against the `references` of the same names.

    Raises CannotMeasure when no reference holds a word.
    """
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = EnglishTextNormalizer()
    pairs = [(normalise(references[name]), normalise(text)) for name, text in transcripts.items()]
    pairs = [(reference, text) for reference, text in pairs if reference]
    if not pairs:
        raise CannotMeasure("no utterance with words")
    rates = []
    for compare in (jiwer.process_words, jiwer.process_characters):
        found = [compare(reference, text) for reference, text in pairs]
        wrong = [one.substitutions + one.deletions + one.insertions for one in found]
        said = [one.hits + one.substitutions + one.deletions for one in found]
        rates += [sum(wrong) / sum(said), interval(np.stack([wrong, said], axis=1), ratio)]
    return ErrorRates(*rates, len(pairs))
