import math

import numpy as np
import pytest
import torch

from vqspeech.config import PriorConfig
from vqspeech.evaluation.prior import bigram_bits, bits_per_code
from vqspeech.models.prior import Autoregressive, Histogram


def test_bits_of_a_histogram_by_hand() -> None:
    prior = Histogram(2, torch.tensor([2, 0]))  # 3 and 1 of 4
    sequences = [np.array([0, 0, 1]), np.array([0])]
    expected = (3 * math.log2(4 / 3) + 2) / 4
    assert bits_per_code(prior, sequences, [-1, -1]) == pytest.approx(expected, abs=1e-6)


def test_bits_of_a_bigram_by_hand() -> None:
    train = [np.array([0, 1, 0, 1, 0, 0])]
    # Unigram, one more of each: 5 and 3 of 8. After 0: 1 twice, 0 once, two kinds. After 1: 0 twice, one kind.
    held_out = [np.array([0, 1, 1])]
    first, second = 5 / 8, (2 + 2 * 3 / 8) / 5
    third = (0 + 1 * 3 / 8) / 3
    expected = -(math.log2(first) + math.log2(second) + math.log2(third)) / 3
    assert bigram_bits(train, held_out, 2) == pytest.approx(expected)


def test_a_bigram_without_successors_falls_back_to_the_unigram() -> None:
    assert bigram_bits([np.array([0, 1])], [np.array([1, 1])], 2) == pytest.approx(1)


def test_an_unknown_speaker_is_not_told() -> None:
    torch.manual_seed(0)
    prior = Autoregressive(5, 2, PriorConfig(width=8, layers=1, heads=2, window=4)).eval()
    sequences = [np.arange(5)]
    assert bits_per_code(prior, sequences, [-1]) != bits_per_code(prior, sequences, [1])
