import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.nearest import distance, log_mel, nearest_source

SOURCES = {f"u{number}": voice(100 + 10 * number, 0.8, seed=number) for number in range(6)}


def test_noisy_quieter_copies_are_nearest_to_their_own_source():
    noise = np.random.default_rng(0).normal(0, 0.002, size=20000).astype(np.float32)
    copies = {name: 0.3 * source + noise[: len(source)] for name, source in SOURCES.items()}
    score = nearest_source(copies, SOURCES, RATE)
    assert score.accuracy == 1.0
    assert (score.choices, score.chance, score.copies) == (6, 1 / 6, 6)
    assert score.distance < score.other_distance
    assert score.accuracy_interval == [1.0, 1.0]
    assert score.distance_interval[0] < score.distance < score.distance_interval[1] < score.other_distance_interval[0]


def test_copies_of_something_else_are_never_nearest():
    names = list(SOURCES)
    swapped = {name: SOURCES[other] for name, other in zip(names, names[1:] + names[:1], strict=True)}
    assert nearest_source(swapped, SOURCES, RATE).accuracy == 0.0


def test_a_tie_is_not_won():
    same = {name: SOURCES["u0"] for name in SOURCES}
    assert nearest_source(same, same, RATE).accuracy == 0.0


def test_the_choice_is_among_as_many_as_asked_for():
    score = nearest_source({"u0": SOURCES["u0"]}, SOURCES, RATE, choices=3)
    assert (score.choices, score.copies, score.accuracy) == (3, 1, 1.0)


def test_distance_is_the_mean_difference_over_the_shorter_one():
    short, long = np.zeros((2, 80)), np.full((5, 80), 3.0)
    long[2:] = 100.0
    assert distance(short, long) == distance(long, short) == 3.0


def test_log_mel_knows_no_loudness():
    assert np.allclose(log_mel(SOURCES["u0"], RATE), log_mel(0.1 * SOURCES["u0"], RATE), atol=0.1)


def test_one_source_is_no_choice():
    with pytest.raises(CannotMeasure):
        nearest_source({"u0": SOURCES["u0"]}, {"u0": SOURCES["u0"]}, RATE)
