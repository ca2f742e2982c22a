"""How far a measure would move had other utterances been drawn: 95 % intervals by the bootstrap (Efron 1979)."""

from collections.abc import Callable, Sequence

import numpy as np

TIMES = 1000
Interval = list[float]
"""Its lower and its upper end, in a list as JSON has it."""


def draws(utterances: int, times: int = TIMES) -> np.ndarray:
    """How often each utterance comes when as many are drawn with replacement, always alike: `[times, utterances]`."""
    randomness = np.random.default_rng(0)
    return randomness.multinomial(utterances, np.full(utterances, 1 / utterances), size=times)


def percentiles(values: np.ndarray) -> Interval:
    """The interval that holds the middle 95 % of a measure's values `[times]`, those that are NaN apart."""
    return np.nanpercentile(values, (2.5, 97.5)).tolist()


def interval(counts: np.ndarray, measure: Callable[[np.ndarray], np.ndarray]) -> Interval:
    """The 95 % interval of a measure of summed counts.

    `counts [utterances, n]` are those of each utterance; `measure` maps sums `[times, n]` to values `[times]`.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return percentiles(measure(draws(len(counts)) @ counts))


def around(figure: float, values: np.ndarray, most: float = np.inf) -> Interval:
    """The interval of a measure's values `[times]`, moved to have the figure in its middle, between 0 and `most`.

    For measures of how codes, phones or contexts are spread: a draw lacks a third of the utterances, and some of these
    with them, so that draws have another mean. What that alone makes of it is taken off.
    """
    return percentiles(np.clip(values - np.nanmean(values) + figure, 0, most))


def ratio(sums: np.ndarray) -> np.ndarray:
    """The measure that is the first count over the second: `[times, 2]` to `[times]`."""
    return sums[:, 0] / sums[:, 1]


def mean_of(name: str, values: Sequence[float]) -> dict[str, float | Interval]:
    """The mean over utterances under `name`, its 95 % interval under `<name>_interval`."""
    counts = np.stack([np.asarray(values, float), np.ones(len(values))], axis=1)
    return {name: float(np.mean(values)), f"{name}_interval": interval(counts, ratio)}
