"""Measures of many samples from the scores of each, with 95 % intervals, by groups of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vqspeech.evaluation.bootstrap import interval, ratio

Row = Mapping[str, Any]
"""A sample: its `utterance`, `source`, who speaks that, `target`, whether `seen` by the model, whether of the
`same_gender` (None where that is not known); and its scores."""
MEASURES = {
    "wer": ("wrong_words", "words"),
    "wer_above_source": ("words_lost", "words"),
    "cer": ("wrong_characters", "characters"),
    **{
        name: (name, None)
        for name in (
            *("nearer", "accepted", "to_target", "to_source", "mos"),
            *("log_f0", "f0_deviation", "target_log_f0", "target_f0_deviation", "f0_off"),
            *("mcd", "f0_correlation", "f0_voiced"),
        )
    },
}
"""The score that is summed, and the one by whose sum it is divided; None for the number of samples that have it."""


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Each measure that rows have scores for, with its interval, and `samples`, how many they are.

    The intervals draw whole utterances of the sources, since conversions of one utterance are alike.
    """
    found: dict[str, Any] = {"samples": len(rows)}
    for name, (part, whole) in MEASURES.items():
        counts = defaultdict[str, np.ndarray](lambda: np.zeros(2))
        for row in rows:
            if part in row:
                counts[row["utterance"]] += row[part], row[whole] if whole else 1.0
        if counts:
            of_utterances = np.stack(list(counts.values()))
            found[name] = float(ratio(of_utterances.sum(axis=0, keepdims=True))[0])
            found[f"{name}_interval"] = interval(of_utterances, ratio)
    return found


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Those of speakers whom the model never heard and of others, of the target's gender and of the other."""
    wanted = {
        "unseen": ("seen", False),
        "seen": ("seen", True),
        "same_gender": ("same_gender", True),
        "cross_gender": ("same_gender", False),
    }
    chosen = {name: [row for row in rows if row[key] is value] for name, (key, value) in wanted.items()}
    return {name: group for name, group in chosen.items() if group}


def by_target(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each target, in their order."""
    found = defaultdict[str, list[Row]](list)
    for row in rows:
        found[row["target"]].append(row)
    return found


def count_sources(rows: Sequence[Row]) -> dict[str, int]:
    """How many samples there are, of how many utterances and speakers."""
    return {
        "samples": len(rows),
        "utterances": len({row["utterance"] for row in rows}),
        "speakers": len({row["source"] for row in rows}),
    }
