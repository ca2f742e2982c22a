"""What judges say of one sample at a time, as numbers whose sums and means are the measures of many."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vqspeech.data.splits import normalise_text
from vqspeech.evaluation.controls import once
from vqspeech.evaluation.ecapa import THRESHOLD, Ecapa, EmbeddedVoices, find_ecapa
from vqspeech.evaluation.f0 import log_f0, require_f0, voiced_log_f0
from vqspeech.evaluation.mcd import aligned_moments, mel_cepstral_distortion
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.mos import load_mos
from vqspeech.evaluation.samples import Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.trials import readings
from vqspeech.evaluation.verification import UTTERANCES_PER_VOICE, Voice, Voices
from vqspeech.evaluation.wer import count_errors, find_whisper, load_whisper
from vqspeech.extras import NotInstalled
from vqspeech.progress import progress

Judge = Callable[[Sample], Mapping[str, float] | None]
"""Scores by name; None of a sample that the judge has nothing to say of."""
SEMITONES = 12 / np.log(2)
"""In one of natural log F0."""


class Pitch(NamedTuple):
    """Of voiced frames."""

    mean: float
    """Of natural log F0."""
    deviation: float
    """In semitones."""


def find_judges(
    train: Speech, sources: Speech, speakers: Iterable[str], folder: Path | None = None
) -> tuple[dict[str, Judge], dict[str, str]]:
    """The judges that are there, by name, with their weights in `folder`; and why others are not.

    The `speakers` are known by ten utterances of `train`, others than its own by ten of `sources`.
    """
    rate = train.sample_rate

    @cache
    def known_by(speaker: str) -> list[np.ndarray]:
        speech = train if speaker in train.data.speakers else sources
        return speech.of_speaker(speaker, UTTERANCES_PER_VOICE)

    def similarity() -> Judge:
        voice = partial(Ecapa(find_ecapa(folder)).voice, sample_rate=rate)
        shown = progress(sorted(speakers), "voices", unit="speaker")
        known = EmbeddedVoices({speaker: [voice(waveform) for waveform in known_by(speaker)] for speaker in shown})
        return of_speakers(voice, known, THRESHOLD)

    makers: dict[str, Callable[[], Judge]] = {
        "words": lambda: of_words(load_whisper(find_whisper(judges=folder), rate)),
        "speakers": similarity,
        "opinions": lambda: of_opinions(load_mos(rate)),
        "pitch": lambda: of_pitch(known_by, rate),
    }
    found, missing = {}, {}
    for name, make in makers.items():
        try:
            found[name] = make()
        except (CannotMeasure, NotInstalled) as reason:
            missing[name] = str(reason)
    return found, missing


def of_words(hear: Callable[[np.ndarray], str]) -> Judge:
    """Errors of the words heard in a sample, and how many more than in its source; None without a text."""
    hear = once(hear)

    def judge(sample: Sample) -> dict[str, float] | None:
        text = sample.source.text or ""
        said, before = (count_errors(text, hear(waveform)) for waveform in (sample.waveform, sample.source.waveform))
        if said is None or before is None:
            return None
        return said._asdict() | {"words_lost": said.wrong_words - before.wrong_words}

    return judge


def of_speakers(voice: Voice, known: Voices, threshold: float) -> Judge:
    """Similarity of a sample to its target, `accepted` from the `threshold` on, and of a conversion to its source."""
    voice = once(voice)

    def judge(sample: Sample) -> dict[str, float]:
        heard = voice(sample.waveform)
        to_target = known.similarity(heard, sample.speaker)
        scores = {"to_target": to_target, "accepted": float(to_target >= threshold)}
        if not sample.is_copy:
            to_source = known.similarity(heard, sample.source.speaker)
            scores |= {"to_source": to_source, "nearer": float(to_target > to_source)}
        return scores

    return judge


def of_opinions(listen: Callable[[np.ndarray], float]) -> Judge:
    """The opinion score of a sample."""
    listen = once(listen)
    return lambda sample: {"mos": listen(sample.waveform)}


def of_pitch(known_by: Callable[[str], Sequence[np.ndarray]], sample_rate: int) -> Judge:
    """Log F0 of a sample and of its target, by the waveforms that one is `known_by`: mean, deviation in semitones.

    `f0_off` is how many semitones the means lie apart; None without a voiced frame on either side. Raises NotInstalled
    without the judge.
    """
    require_f0()

    def pitch(waveforms: Iterable[np.ndarray]) -> Pitch | None:
        voiced = np.concatenate([voiced_log_f0(waveform, sample_rate) for waveform in waveforms])
        return Pitch(float(voiced.mean()), float(voiced.std() * SEMITONES)) if len(voiced) else None

    @cache
    def own(speaker: str) -> Pitch | None:
        return pitch(known_by(speaker))

    def judge(sample: Sample) -> dict[str, float] | None:
        heard, target = pitch([sample.waveform]), own(sample.speaker)
        if heard is None or target is None:
            return None
        return {
            "log_f0": heard.mean,
            "f0_deviation": heard.deviation,
            "target_log_f0": target.mean,
            "target_f0_deviation": target.deviation,
            "f0_off": SEMITONES * abs(heard.mean - target.mean),
        }

    return judge


def against_readings(speech: Speech) -> Judge:
    """Distortion and correlation of log F0 of a sample and its target's own reading in `speech`, aligned in time.

    `f0_voiced` is the share of the reading's voiced frames that the correlation is of.
    None of a text that the target does not read. Without the judge of F0 the distortion stands alone.
    """
    known = readings(speech.data)

    def judge(sample: Sample) -> dict[str, float] | None:
        reading = known.get((sample.speaker, normalise_text(sample.source.text or "")))
        if reading is None:
            return None
        ((_, target),) = speech.read([reading])
        rate = speech.sample_rate
        scores = {"mcd": mel_cepstral_distortion(sample.waveform, target, rate)}
        try:
            moments = aligned_moments(sample.waveform, target, rate)
            if contour := log_f0(sample.waveform, target, rate, moments):
                scores |= {"f0_correlation": contour["correlation"], "f0_voiced": contour["voiced"]}
        except NotInstalled:
            pass  # `find_judges` has told
        return scores

    return judge
