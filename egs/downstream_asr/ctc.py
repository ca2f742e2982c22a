"""Connectionist temporal classification (Graves et al. 2006): what frames spell. Label 0 is the blank."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

BLANK = 0
Labels = tuple[int, ...]


def frames_needed(labels: Sequence[int]) -> int:
    """The fewest frames that can spell `labels`: one each, and a blank between two that are equal."""
    return len(labels) + sum(a == b for a, b in pairwise(labels))


def collapse(path: Sequence[int]) -> Labels:
    """The labels that a path, one label or blank a frame, spells: runs merged, then blanks left out."""
    runs = [label for n, label in enumerate(path) if n == 0 or label != path[n - 1]]
    return tuple(label for label in runs if label != BLANK)


def greedy(log_probs: np.ndarray) -> Labels:
    """What the likeliest path through `log_probs [N, V]` spells."""
    return collapse(log_probs.argmax(axis=1).tolist())


def prefix_beam_search(log_probs: np.ndarray, beam: int) -> dict[Labels, float]:
    """Labels and the log probability that all their paths through `log_probs [N, V]` have together, likeliest first.

    `beam` prefixes are kept after every frame, and as many labels looked at in it (Hannun et al. 2014, algorithm 1,
    without a language model). What is left out by that is missing from the probabilities too.
    """
    # Of a prefix: log probability of the paths that end in a blank, and of those that end in its last label.
    kept: dict[Labels, list[float]] = {(): [0.0, -np.inf]}
    for frame in log_probs:
        likely = np.argsort(-frame, kind="stable")[:beam].tolist()
        grown: dict[Labels, list[float]] = defaultdict(lambda: [-np.inf, -np.inf])
        for prefix, (blank, label) in kept.items():
            both = np.logaddexp(blank, label)
            for next in likely:
                if next == BLANK:
                    _add(grown[prefix], 0, both + frame[next])
                elif prefix and next == prefix[-1]:
                    # Right behind itself it is the same one still, behind a blank another.
                    _add(grown[prefix], 1, label + frame[next])
                    _add(grown[(*prefix, next)], 1, blank + frame[next])
                else:
                    _add(grown[(*prefix, next)], 1, both + frame[next])
        ranked = sorted(grown.items(), key=lambda item: -np.logaddexp(*item[1]))
        kept = {prefix: ends for prefix, ends in ranked[:beam] if max(ends) > -np.inf}
    return {prefix: float(np.logaddexp(*ends)) for prefix, ends in kept.items()}


def _add(ends: list[float], which: int, log_probability: float) -> None:
    ends[which] = np.logaddexp(ends[which], log_probability)
