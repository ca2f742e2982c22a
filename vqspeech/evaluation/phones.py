"""How well codes tell phones: the many-to-one map of van den Oord et al. 2017, section 4.3."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, interval, ratio
from vqspeech.evaluation.missing import CannotMeasure


@dataclass(frozen=True)
class PhoneAccuracy:
    """Frame accuracy on held-out speech, silence left out, of the map learnt on the training speech."""

    accuracy: float
    accuracy_interval: Interval
    commonest: float
    """Of always saying the commonest phone of the training speech: the paper's 7.2 %."""
    commonest_interval: Interval
    random: float
    """Of random codes, as many as the model has."""
    random_interval: Interval
    phones: int
    """Distinct phones in the training speech."""
    train_frames: int
    test_frames: int


def phone_accuracy(
    train_codes: Sequence[np.ndarray],
    train_labels: Sequence[np.ndarray],
    test_codes: Sequence[np.ndarray],
    test_labels: Sequence[np.ndarray],
    codes: int,
) -> PhoneAccuracy:
    """Score the majority map: each of `codes` codes stands for the phone it fell on most often in training.

    Codes are [frames] int, labels [frames] str, for each utterance. `""` and the names of silence are left out on
    both sides. A code unseen in training stands for the commonest phone.
    Raises CannotMeasure when no frame of speech is left on a side.
    """
    learnt_codes, learnt_labels = np.concatenate(train_codes), np.concatenate(train_labels)
    scored_codes, scored_labels = np.concatenate(test_codes), np.concatenate(test_labels)
    utterances = np.repeat(np.arange(len(test_codes)), [len(row) for row in test_codes])
    train, test = is_speech(learnt_labels), is_speech(scored_labels)
    if not train.any() or not test.any():
        raise CannotMeasure("no labelled frame of speech")
    learnt_codes, learnt_labels = learnt_codes[train], learnt_labels[train]
    scored_codes, scored_labels, utterances = scored_codes[test], scored_labels[test], utterances[test]

    def right(learnt_codes: np.ndarray, scored_codes: np.ndarray) -> np.ndarray:
        return majority_map(learnt_codes, learnt_labels, codes)[scored_codes] == scored_labels

    randomness = np.random.default_rng(0)

    def random_codes(labels: np.ndarray) -> np.ndarray:
        return randomness.integers(codes, size=len(labels))

    named = {
        "accuracy": right(learnt_codes, scored_codes),
        # One code for everything maps to the commonest phone.
        "commonest": right(np.zeros_like(learnt_codes), np.zeros_like(scored_codes)),
        "random": right(random_codes(learnt_labels), random_codes(scored_labels)),
    }
    frames = np.bincount(utterances, minlength=len(test_codes))
    intervals = {
        f"{name}_interval": interval(np.stack([np.bincount(utterances, own, len(frames)), frames], axis=1), ratio)
        for name, own in named.items()
    }
    return PhoneAccuracy(
        **{name: float(own.mean()) for name, own in named.items()},
        **intervals,
        phones=len(np.unique(learnt_labels)),
        train_frames=len(learnt_labels),
        test_frames=len(scored_labels),
    )


def majority_map(codes: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    """The commonest label of each code, [size] str; ties go to the label that sorts first."""
    names, indices = np.unique(labels, return_inverse=True)
    counts = np.zeros((size, len(names)), dtype=np.int64)
    np.add.at(counts, (codes, indices), 1)
    counts[counts.sum(axis=1) == 0] = counts.sum(axis=0)
    return names[counts.argmax(axis=1)]


def is_speech(labels: np.ndarray) -> np.ndarray:
    """Where `labels` name a phone and not silence: [frames] bool."""
    from vqspeech.data.labels import SILENCES

    return ~np.isin(labels, ["", *SILENCES])
