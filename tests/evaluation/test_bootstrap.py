import numpy as np
import pytest

from vqspeech.evaluation.bootstrap import around, draws, interval, mean_of, percentiles, ratio


def test_every_draw_is_of_as_many_utterances_and_always_the_same() -> None:
    found = draws(7)
    assert found.shape == (1000, 7)
    assert (found.sum(1) == 7).all()
    assert np.array_equal(found, draws(7))
    # An utterance is missing from a draw with probability (1 - 1/7) ** 7.
    assert np.mean(found == 0) == pytest.approx((6 / 7) ** 7, abs=0.02)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(1).standard_normal(400)
    found = interval(np.stack([values, np.ones(400)], axis=1), ratio)
    error = values.std() / 400**0.5
    assert found == pytest.approx([values.mean() - 1.96 * error, values.mean() + 1.96 * error], abs=0.02)


def test_utterances_that_agree_leave_no_doubt() -> None:
    assert interval(np.array([[1, 4], [2, 8], [5, 20]]), ratio) == pytest.approx([0.25, 0.25])


def test_draws_without_a_value_are_left_out() -> None:
    assert interval(np.array([[1, 2], [0, 0]]), ratio) == [0.5, 0.5]
    assert percentiles(np.array([np.nan, 0.0, 1.0, np.nan])) == pytest.approx([0.025, 0.975])


def test_an_interval_around_a_figure_that_every_draw_moves() -> None:
    assert around(0.9, np.array([0.6, 0.7, 0.8])) == pytest.approx([0.805, 0.995])
    assert around(0.9, np.array([0.5, np.nan, 0.9]), most=1) == pytest.approx([0.7075, 0.9925])
    # It ends at nothing and at all.
    assert around(0.8, np.array([0.0, 0.5, 1.0, 1.0, 1.0]), most=1)[1] == 1.0
    assert around(0.2, np.array([1.0, 0.5, 0.0, 0.0, 0.0]), most=1)[0] == 0.0


def test_a_mean_with_its_interval() -> None:
    assert mean_of("loss", [2.0, 2.0]) == {"loss": 2.0, "loss_interval": [2.0, 2.0]}
    found = mean_of("loss", [0.0, 1.0])
    assert (found["loss"], found["loss_interval"]) == (0.5, [0.0, 1.0])
