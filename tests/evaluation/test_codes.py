import numpy as np
import pytest

from vqspeech.evaluation.codes import bitrates, code_usage, merge_runs


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


def test_merging_keeps_one_of_every_run():
    assert merge_runs(np.array([0, 0, 4, 4, 4, 0, 2])).tolist() == [0, 4, 0, 2]
