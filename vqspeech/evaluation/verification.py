"""Whose voice is it? Trials of samples against speakers, as in speaker verification, with any judge of voices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vqspeech.evaluation.bootstrap import draws, mean_of, percentiles
from vqspeech.evaluation.controls import Kind, of_each, once
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

UTTERANCES_PER_VOICE = 10
Voice = Callable[[np.ndarray], np.ndarray]
"""What a judge makes of a waveform [T]."""


class Voices(Protocol):
    """Speakers that a voice may be compared with."""

    @property
    def speakers(self) -> list[str]:
        """Those that are known."""

    def add(self, speaker: str, voices: Sequence[np.ndarray]) -> None:
        """Make one more known by some utterances' voices."""

    def similarity(self, voice: np.ndarray, speaker: str) -> float:
        """The more, the more alike; at most 1."""


class EqualError(NamedTuple):
    """Where as many trials of one speaker fail as trials of two pass."""

    rate: float
    threshold: float


def equal_error(same: Iterable[float], different: Iterable[float]) -> EqualError:
    """The error rate where as many `same` trials are under the threshold as `different` ones are not.

    The threshold is in the middle of those that tell the trials apart in the same way.
    """
    same, different = np.sort(list(same)), np.sort(list(different))
    thresholds = np.sort(np.concatenate([same, different]))
    misses = np.searchsorted(same, thresholds) / len(same)
    false_alarms = 1 - np.searchsorted(different, thresholds) / len(different)
    crossing = np.abs(misses - false_alarms).argmin()
    under = thresholds[thresholds < thresholds[crossing]]
    middle = (thresholds[crossing] + under[-1]) / 2 if len(under) else thresholds[crossing]
    return EqualError(float((misses[crossing] + false_alarms[crossing]) / 2), float(middle))


def measure_voices(
    kinds: Mapping[str, Kind],
    train: Speech,
    unseen: Speech | None,
    voice: Voice,
    known: Callable[[Mapping[str, Sequence[np.ndarray]]], Voices],
    threshold: float | None = None,
) -> dict[str, Any]:
    """Similarity of copies, conversions and natural speech to target, source and others.

    `known` makes voices of what `voice` says of each speaker's training utterances; a speaker that has none is known
    by `unseen`. One none of whose speech can be read is left out. The equal error rate of telling a natural excerpt's
    own speaker from the others says how far the judge can be trusted. Samples are accepted from the judge's own
    `threshold` on, where it has one, and from that on where natural speech has its equal error.
    Raises CannotMeasure when there are no samples or no two speakers to tell apart.
    """
    everyone = [sample for kind in kinds.values() for sample in kind.samples]
    speakers = progress(train.data.speakers, "voices", unit="speaker")
    trained = {speaker: heard for speaker in speakers if (heard := _enrol(train, speaker, voice))}
    if not everyone or len(trained) < 2:
        raise CannotMeasure("needs samples and two speakers")
    voices = known(trained)
    for speaker in unseen.data.speakers if unseen else ():
        if speaker not in voices.speakers and (heard := _enrol(unseen, speaker, voice)):
            voices.add(speaker, heard)
    heard = once(voice)
    sources = {sample.source.utterance: sample.source for sample in everyone if sample.source.seen}
    natural = _of_natural_speech(voices, list(sources.values()), heard)

    def trials(samples: Sequence[Sample]) -> dict[str, Any] | None:
        return _of_samples(voices, samples, heard, threshold, natural["threshold"] if natural else None)

    return {"threshold": threshold, "natural": natural} | of_each(kinds, trials)


def _of_natural_speech(voices: Voices, excerpts: Sequence[Excerpt], voice: Voice) -> dict[str, Any] | None:
    """What the scores of natural speech are; None without any of speakers that the judge knows."""
    excerpts = [excerpt for excerpt in excerpts if excerpt.speaker in voices.speakers]
    if not excerpts:
        return None
    scores = np.array(
        [
            [voices.similarity(voice(one.waveform), speaker) for speaker in voices.speakers]
            for one in progress(excerpts, "natural voices", unit="utt")
        ]
    )
    own = np.array([[speaker == one.speaker for speaker in voices.speakers] for one in excerpts])
    found = equal_error(scores[own], scores[~own])
    drawn = [np.repeat(np.arange(len(excerpts)), times) for times in draws(len(excerpts))]
    rates = [equal_error(scores[rows][own[rows]], scores[rows][~own[rows]]).rate for rows in drawn]
    return {
        # Of each excerpt one score is of its own speaker.
        **mean_of("own", scores[own]),
        **mean_of("other", np.where(own, 0.0, scores).sum(1) / (scores.shape[1] - 1)),
        "equal_error_rate": found.rate,
        "equal_error_rate_interval": percentiles(np.array(rates)),
        "threshold": found.threshold,
    }


def _of_samples(
    voices: Voices, samples: Sequence[Sample], voice: Voice, threshold: float | None, natural_threshold: float | None
) -> dict[str, Any] | None:
    """Means over the samples, also of their untouched sources; None without samples of known speakers."""
    samples = [sample for sample in samples if {sample.speaker, sample.source.speaker} <= set(voices.speakers)]
    if not samples:
        return None
    to_target, to_source, source_to_target, source_to_source = [], [], [], []
    for sample in progress(samples, "voices of samples", unit="utt"):
        target, source = sample.speaker, sample.source.speaker
        heard, before = voice(sample.waveform), voice(sample.source.waveform)
        to_target.append(voices.similarity(heard, target))
        to_source.append(voices.similarity(heard, source))
        source_to_target.append(voices.similarity(before, target))
        source_to_source.append(voices.similarity(before, source))
    shares = {"target_nearer": np.array(to_target) > np.array(to_source)}
    for name, least in (("accepted", threshold), ("accepted_at_equal_error", natural_threshold)):
        if least is not None:
            shares[name] = np.array(to_target) >= least
    return {
        "count": len(samples),
        **mean_of("to_target", to_target),
        **mean_of("to_source", to_source),
        **mean_of("source_to_target", source_to_target),
        **mean_of("source_to_source", source_to_source),
    } | {key: value for name, passed in shares.items() for key, value in mean_of(name, passed).items()}


def _enrol(speech: Speech, speaker: str, voice: Voice) -> list[np.ndarray]:
    """The voice in each of the speaker's first utterances by hash."""
    return [voice(waveform) for waveform in speech.of_speaker(speaker, UTTERANCES_PER_VOICE)]
