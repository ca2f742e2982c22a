"""How well units tell who speaks: the less, the better for conversion and for recognition."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, interval
from vqspeech.evaluation.missing import CannotMeasure

SEGMENT_SECONDS = 2.0
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
FOLDS = 3


class Segment(NamedTuple):
    """A stretch of one utterance's units."""

    units: np.ndarray
    """`[n]`."""
    speaker: str
    utterance: str


@dataclass(frozen=True)
class SpeakerProbe:
    """How often a linear classifier names the speaker of a segment, the mean over speakers."""

    accuracy: float
    accuracy_interval: Interval
    chance: float
    """One over the number of speakers."""
    speakers: int
    train_segments: int
    test_segments: int


def segments(units: np.ndarray, speaker: str, utterance: str, frame_seconds: float) -> list[Segment]:
    """Cut units `[N]` into segments of two seconds; the rest is left out, but an utterance has one at least."""
    length = max(1, round(SEGMENT_SECONDS / frame_seconds))
    starts = range(0, max(1, len(units) - length + 1), length)
    return [Segment(units[start : start + length], speaker, utterance) for start in starts]


def speaker_probe(train: Sequence[Segment], test: Sequence[Segment], codes: int) -> SpeakerProbe:
    """Logistic regression on the square root of each code's share of a segment.

    Every speaker counts the same. The strength of regularisation is the one that does best on parts of the training
    utterances held out in turn. Of `test` the segments count whose speaker `train` knows. Raises CannotMeasure where
    fewer than two speakers have three training utterances and a test utterance.
    Source: linear probes (Alain and Bengio 2017); speakers as in van Niekerk et al. 2020, section 4.3, on counts.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    spoken: defaultdict[str, set[str]] = defaultdict(set)
    for segment in train:
        spoken[segment.speaker].add(segment.utterance)
    tested = {segment.speaker for segment in test}
    speakers = sorted(name for name, own in spoken.items() if len(own) >= FOLDS and name in tested)
    if len(speakers) < 2:
        raise CannotMeasure(f"fewer than two speakers with {FOLDS} training utterances and a test utterance")
    train, test = ([one for one in side if one.speaker in speakers] for side in (train, test))

    probe = GridSearchCV(
        LogisticRegression(max_iter=1000),
        {"C": STRENGTHS},
        scoring="balanced_accuracy",
        cv=StratifiedGroupKFold(FOLDS),
    )
    shares = _shares(train, codes)
    # By their deviation codes that hardly occur would count for as much as any other.
    mean, scale = shares.mean(0), shares.std()
    utterances = [one.utterance for one in train]
    probe.fit((shares - mean) / scale, [one.speaker for one in train], groups=utterances)
    guesses = probe.predict((_shares(test, codes) - mean) / scale)
    counts = _counts(test, guesses, speakers)
    return SpeakerProbe(
        accuracy=float(_mean_over_speakers(counts.sum(0)[None])[0]),
        accuracy_interval=interval(counts, _mean_over_speakers),
        chance=1 / len(speakers),
        speakers=len(speakers),
        train_segments=len(train),
        test_segments=len(test),
    )


def _shares(segments: Iterable[Segment], codes: int) -> np.ndarray:
    """`[segments, codes]`; by the square root rare codes count for something too."""
    return np.stack([np.sqrt(np.bincount(one.units, minlength=codes) / len(one.units)) for one in segments])


def _counts(test: Sequence[Segment], guesses: Sequence[str], speakers: Sequence[str]) -> np.ndarray:
    """Segments that were named rightly, then all, by speaker: `[utterances, 2 * speakers]`."""
    rows = {utterance: row for row, utterance in enumerate(dict.fromkeys(one.utterance for one in test))}
    counts = np.zeros((len(rows), 2, len(speakers)))
    for one, guess in zip(test, guesses, strict=True):
        counts[rows[one.utterance], :, speakers.index(one.speaker)] += (guess == one.speaker, 1)
    return counts.reshape(len(rows), -1)


def _mean_over_speakers(sums: np.ndarray) -> np.ndarray:
    """The share that was right, the mean over the speakers that were drawn: `[times]`."""
    right, said = np.split(sums, 2, axis=1)
    drawn = said > 0
    return np.divide(right, said, out=np.zeros_like(right), where=drawn).sum(1) / drawn.sum(1)
