import numpy as np
import pytest

from vqspeech.evaluation.codes import bitrates, code_usage, entropy_interval, merge_runs, merged_interval


def test_equally_common_codes_have_a_perplexity_of_their_number():
    usage = code_usage(np.array([[0, 1], [2, 3], [0, 1], [2, 3]]), codes=16)
    assert (usage.codes, usage.frames, usage.in_use) == (16, 8, 4)
    assert usage.entropy == pytest.approx(2.0)
    assert usage.perplexity == pytest.approx(4.0)


def test_entropy_of_unequal_codes_by_hand():
    # Probabilities 1/2, 1/4, 1/8, 1/8: 1/2 + 2/4 + 3/8 + 3/8 bits.
    usage = code_usage(np.array([5, 5, 5, 5, 0, 0, 7, 3]), codes=8)
    assert usage.entropy == pytest.approx(1.75)
    assert usage.in_use == 4


def test_one_code_carries_nothing():
    usage = code_usage(np.full(10, 3), codes=4)
    assert usage.entropy == 0.0
    assert usage.perplexity == 1.0


def test_bitrates_by_hand():
    # 8 codes at 4 Hz are 2 s. Merged: 0 1 | 0 1 are 4 symbols of 1 bit, since runs do not cross utterances.
    rates = bitrates([np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])], codes=64, rate=4.0)
    assert rates.nominal == pytest.approx(4 * 6)
    assert rates.entropy == pytest.approx(4 * 1.0)
    assert rates.merged == pytest.approx(4 * 1.0 / 2)


def test_intervals_are_around_what_is_measured_of_all() -> None:
    rng = np.random.default_rng(0)
    streams = [np.repeat(rng.integers(16, size=60), rng.integers(1, 4, size=60)) for _ in range(40)]
    low, high = entropy_interval(streams, 16)
    assert 3.5 < low < code_usage(np.concatenate(streams), 16).entropy < high <= 4
    low, high = merged_interval(streams, 50.0)
    assert low < bitrates(streams, 16, 50.0).merged < high < 1.1 * low


def test_utterances_that_agree_leave_no_doubt() -> None:
    streams = [np.array([0, 0, 1, 1])] * 5
    assert entropy_interval(streams, 4) == pytest.approx([1.0, 1.0])
    assert merged_interval(streams, 10.0) == pytest.approx([5.0, 5.0])


def test_merging_keeps_one_of_every_run():
    assert merge_runs(np.array([0, 0, 4, 4, 4, 0, 2])).tolist() == [0, 4, 0, 2]
