"""The measures of how samples sound: alone, beside their source, or beside the target's own reading."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vqspeech.data.splits import normalise_text
from vqspeech.evaluation.bootstrap import mean_of
from vqspeech.evaluation.controls import Kind, of_each, once
from vqspeech.evaluation.mcd import mel_cepstral_distortion
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.mos import load_mos
from vqspeech.evaluation.samples import Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

Kinds = Mapping[str, Kind]
Compare = Callable[[np.ndarray, np.ndarray, int], Mapping[str, float] | None]
"""Scores of a copy [T] against its source [T] at a sample rate; None where there is nothing to score."""


def measure_mos(kinds: Kinds, sample_rate: int) -> dict[str, Any]:
    """The mean opinion score predicted of each kind; NotInstalled without the judge, CannotMeasure without samples."""
    judge = once(load_mos(sample_rate))

    def score(samples: Sequence[Sample]) -> dict[str, Any]:
        shown = progress(samples, "opinion scores", unit="utt")
        return mean_of("mos", [judge(sample.waveform) for sample in shown]) | {"utterances": len(samples)}

    return _any(of_each(kinds, score), "no samples")


def measure_copies(kinds: Kinds, sample_rate: int, compare: Compare) -> dict[str, Any]:
    """What `compare` says of copies and their controls against their sources.

    Raises CannotMeasure when it has nothing to say, NotInstalled when it lacks its package.
    """

    def score(samples: Sequence[Sample]) -> dict[str, Any] | None:
        shown = progress(samples, "copies", unit="utt")
        return _means([compare(sample.waveform, sample.source.waveform, sample_rate) for sample in shown])

    return _any(of_each({"copies": kinds["copies"]}, score), "no copy long enough")


def measure_mcd(kinds: Kinds, parallel: Speech) -> dict[str, Any]:
    """Mel-cepstral distortion of copies from their source, of conversions from the target's own reading of the text.

    `parallel` is where targets read texts; cut utterances, and those that the target did not read, are left out.
    Raises CannotMeasure when nothing is left.
    """
    readings = {
        (speaker, normalise_text(text)): utterance
        for utterance, text in parallel.data.texts.items()
        for speaker in [parallel.data.utt2spk[utterance]]
    }

    def reference(sample: Sample) -> np.ndarray | None:
        if sample.is_copy:
            return sample.source.waveform
        text = normalise_text(sample.source.text or "")
        if not sample.source.whole or (sample.speaker, text) not in readings:
            return None
        return next((waveform for _, waveform in parallel.read([readings[sample.speaker, text]])), None)

    def score(samples: Sequence[Sample]) -> dict[str, Any] | None:
        found = []
        for sample in progress(samples, "mel cepstra", unit="utt"):
            if (target := reference(sample)) is not None:
                found.append({"mcd": mel_cepstral_distortion(sample.waveform, target, parallel.sample_rate)})
        return _means(found)

    return _any(of_each(kinds, score), "no copy, and no conversion of a text that the target reads")


def _means(scores: Sequence[Mapping[str, float] | None]) -> dict[str, Any] | None:
    """Means with their intervals over the utterances that have scores; None when there are none."""
    found = [score for score in scores if score is not None]
    if not found:
        return None
    means: dict[str, Any] = {"utterances": len(found)}
    for name in found[0]:
        means |= mean_of(name, [score[name] for score in found])
    return means


def _any(results: dict[str, Any], reason: str) -> dict[str, Any]:
    """The results; CannotMeasure for `reason` when no kind has any."""
    if not any(results.values()):
        raise CannotMeasure(reason)
    return results
