"""Samples by kind, each beside what a judge says of the same excerpts untouched or put through something simple."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.world import Statistics, require_world, statistics, transform
from vqspeech.progress import progress

UTTERANCES_PER_SPEAKER = 10
Convert = Callable[[Excerpt, str], np.ndarray | None]
"""What else makes of an excerpt speech of that speaker; None where it cannot."""


@dataclass(frozen=True)
class Kind:
    """Samples of one kind and their controls, which are samples of the same excerpts and speakers by other means."""

    samples: list[Sample]
    beside: dict[str, list[Sample]]


def by_kind(samples: Sequence[Sample], convert: Convert | None = None) -> dict[str, Kind]:
    """`copies`, `conversions` and `conversions_unseen`, whose source the model does not know.

    Beside copies stand the `originals` and their `mu_law` copy in 8 bits; beside conversions the source `untouched`,
    as if it were the target's, and with `convert` what that makes of it (`world`).
    """
    copies = [sample for sample in samples if sample.is_copy]
    originals = [replace(sample, waveform=sample.source.waveform) for sample in copies]
    coarse = [replace(sample, waveform=mu_law(sample.waveform)) for sample in originals]
    kinds = {"copies": Kind(copies, {"originals": originals, "mu_law": coarse})}
    for name, seen in (("conversions", True), ("conversions_unseen", False)):
        conversions = [sample for sample in samples if not sample.is_copy and sample.source.seen == seen]
        kinds[name] = Kind(conversions, by_other_means(conversions, convert))
    return kinds


def by_other_means(conversions: Sequence[Sample], convert: Convert | None = None) -> dict[str, list[Sample]]:
    """The sources of `conversions` `untouched`, and with `convert` what that makes of them (`world`)."""
    beside = {"untouched": [replace(sample, waveform=sample.source.waveform) for sample in conversions]}
    if convert:
        made = (
            (sample, convert(sample.source, sample.speaker)) for sample in progress(conversions, "WORLD", unit="utt")
        )
        beside["world"] = [replace(sample, waveform=waveform) for sample, waveform in made if waveform is not None]
    return beside


def of_each(kinds: Mapping[str, Kind], score: Callable[[Sequence[Sample]], dict[str, Any] | None]) -> dict[str, Any]:
    """The scores of each kind, in its `beside` those of its controls; None for a kind without any."""
    results: dict[str, Any] = {}
    for name, kind in kinds.items():
        if not kind.samples:
            results[name] = None
            continue
        scores = score(kind.samples)
        beside = {name: score(control) if control else None for name, control in kind.beside.items()}
        results[name] = scores and scores | {"beside": beside}
    return results


def once(score: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """`score` that is taken once of a waveform, though several kinds have it; the waveforms are kept."""
    known: dict[int, tuple[np.ndarray, Any]] = {}

    def remembered(waveform: np.ndarray) -> Any:
        if id(waveform) not in known:
            known[id(waveform)] = waveform, score(waveform)
        return known[id(waveform)][1]

    return remembered


def world_conversion(train: Speech, unseen: Speech | None, sample_rate: int) -> Convert:
    """Conversion by WORLD from what ten training utterances of source and target, or of `unseen`, sound like.

    Raises NotInstalled when pyworld is not installed.
    """
    require_world()

    @cache
    def sound(speaker: str) -> Statistics | None:
        known = train if speaker in train.data.speakers or unseen is None else unseen
        return statistics(known.of_speaker(speaker, UTTERANCES_PER_SPEAKER), sample_rate)

    def convert(source: Excerpt, target: str) -> np.ndarray | None:
        ours, theirs = sound(source.speaker), sound(target)
        return transform(source.waveform, sample_rate, ours, theirs) if ours and theirs else None

    return convert


def mu_law(waveform: np.ndarray) -> np.ndarray:
    """`waveform` [T] rounded to 256 values, closer together near 0 (ITU-T G.711)."""
    import torch

    from vqspeech.models.output import mu_law_decode, mu_law_encode

    return mu_law_decode(mu_law_encode(torch.from_numpy(waveform))).numpy()
