import numpy as np
import pytest

from vqspeech.data.labels import Phone
from vqspeech.evaluation.boundaries import boundary_scores, spoken_boundaries, unit_boundaries


def test_units_change_between_frames() -> None:
    units, speech = np.array([4, 4, 7, 7, 7, 4, 5]), np.array([True] * 6 + [False])
    assert unit_boundaries(units, speech, 0.02).tolist() == pytest.approx([0.04, 0.10])


def test_boundaries_at_silence_and_at_gaps_are_left_out() -> None:
    phones = [
        Phone(0, 0.1, "k"),
        Phone(0.1, 0.2, "a"),
        Phone(0.2, 0.3, "pau"),
        Phone(0.3, 0.4, "t"),
        Phone(0.5, 0.6, "o"),
    ]
    assert spoken_boundaries(phones) == [0.1]


def test_by_hand() -> None:
    true = np.array([0.10, 0.20, 0.30])
    # 0.11 and 0.29 hit; 0.12 comes second to a boundary that is found already; 0.50 is nowhere.
    found = np.array([0.11, 0.12, 0.29, 0.50])
    scores = boundary_scores([(found, true)])
    assert (scores.precision, scores.recall) == (2 / 4, 2 / 3)
    assert scores.f1 == pytest.approx(4 / 7)
    first, second = np.hypot(1 / 3, 1 / 3), (-1 / 3 + 2 / 3 - 1) / np.sqrt(2)
    assert scores.r_value == pytest.approx(1 - (first + abs(second)) / 2)


def test_the_interval_is_over_utterances() -> None:
    true = np.array([0.1, 0.2])
    scores = boundary_scores([(true, true), (true[:1], true)])
    # 3 of 4 are found; drawn alone the first has 1, the second 2 / 3.
    assert scores.f1 == pytest.approx(6 / 7)
    assert scores.f1_interval == pytest.approx((2 / 3, 1))
    assert scores.recall_interval == pytest.approx((1 / 2, 1))
    assert scores.precision_interval == [1, 1]
    assert scores.r_value_interval[1] == pytest.approx(1)


def test_a_shift_within_the_tolerance_is_perfect_and_beyond_it_nothing() -> None:
    true = np.arange(1, 20) * 0.1
    assert boundary_scores([(true + 0.019, true)]).r_value == pytest.approx(1)
    assert boundary_scores([(true + 0.021, true)]).f1 == 0
    assert boundary_scores([(np.zeros(0), true)]).f1 == 0
