"""Whether units change where phones do."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, draws, percentiles

if TYPE_CHECKING:
    from vqspeech.data.labels import Phone

TOLERANCE = 0.02
ROUNDING = 1e-6
"""Seconds: frames of 20 ms would else be 20 ms from a phone or not by the rounding of their times."""
GAP = 0.001
"""Seconds between two labels that are none."""


@dataclass(frozen=True)
class BoundaryScores:
    """Boundaries of units held against those of phones."""

    precision: float
    precision_interval: Interval
    recall: float
    recall_interval: Interval
    f1: float
    f1_interval: Interval
    r_value: float
    """1 for perfect; punishes many boundaries as much as few (Rasanen et al. 2009)."""
    r_value_interval: Interval


def boundary_scores(pairs: Iterable[tuple[np.ndarray, np.ndarray]], tolerance: float = TOLERANCE) -> BoundaryScores:
    """Score utterances, each the sorted times `[n]` of found and of true boundaries in seconds.

    A true boundary counts as found once, by at most one boundary that is at most `tolerance` seconds away.
    """
    counts, tolerance = [], tolerance + ROUNDING
    for own, wanted in pairs:
        hits = next_one = 0
        for time in wanted:
            # In order of time, each takes the earliest that is left: no other choice finds more.
            while next_one < len(own) and own[next_one] < time - tolerance:
                next_one += 1
            if next_one < len(own) and own[next_one] <= time + tolerance:
                hits, next_one = hits + 1, next_one + 1
        counts.append((hits, len(own), len(wanted)))
    counts = np.array(counts)
    figures, drawn = _scores(counts.sum(0)[None]), _scores(draws(len(counts)) @ counts)
    return BoundaryScores(
        **{name: float(value[0]) for name, value in figures.items()},
        **{f"{name}_interval": percentiles(values) for name, values in drawn.items()},
    )


def _scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Of hits, found and true boundaries `[times, 3]` the scores `[times]`; 0 for one that has none to go by."""
    hits, found, true = sums.T
    recall = hits / np.maximum(true, 1)
    excess = np.where(true > 0, found / np.maximum(true, 1) - 1, 0.0)
    first, second = np.hypot(1 - recall, excess), (-excess + recall - 1) / 2**0.5
    return {
        "precision": hits / np.maximum(found, 1),
        "recall": recall,
        "f1": 2 * hits / np.maximum(found + true, 1),
        "r_value": 1 - (first + abs(second)) / 2,
    }


def unit_boundaries(units: np.ndarray, speech: np.ndarray, frame_seconds: float) -> np.ndarray:
    """Times in seconds at which units `[N]` change between frames that are both `speech` `[N]`."""
    return (np.flatnonzero((np.diff(units) != 0) & speech[1:] & speech[:-1]) + 1) * frame_seconds


def even_boundaries(times: np.ndarray) -> np.ndarray:
    """As many boundaries as `times` [n] has, evenly spaced between its first and last: all they know is the rate."""
    return np.linspace(times[0], times[-1], len(times) + 2)[1:-1] if len(times) else times


def spoken_boundaries(phones: Sequence["Phone"]) -> list[float]:
    """Times in seconds at which one phone gives way to another; those at silence are left out, as its frames are."""
    from vqspeech.data.labels import SILENCES

    pairs = itertools.pairwise(phones)
    return [b.start for a, b in pairs if not {a.phone, b.phone} & SILENCES and b.start - a.end < GAP]
