import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from vqspeech.evaluation.purity import purity


def test_by_hand() -> None:
    codes = np.array([0, 0, 0, 1, 1, 2])
    labels = np.array(["a", "a", "b", "b", "b", "a"])
    found = purity(codes, labels)
    # Commonest phone of each code: 2 + 2 + 1 of 6; commonest code of each phone: 2 + 2 of 6.
    assert found.phone_purity == pytest.approx(5 / 6)
    assert found.cluster_purity == pytest.approx(4 / 6)


def test_information_as_scikit_learn_has_it() -> None:
    rng = np.random.default_rng(0)
    phones = rng.integers(10, size=5000)
    codes = (3 * phones + rng.integers(12, size=5000)) % 32
    found = purity(codes, phones.astype(str))
    assert found.nmi == pytest.approx(normalized_mutual_info_score(phones, codes))
    assert found.pnmi == pytest.approx(mutual_info_score(phones, codes) / mutual_info_score(phones, phones))


def test_extremes() -> None:
    labels = np.array(["a", "b", "c", "a"])
    assert purity(np.array([5, 1, 9, 5]), labels).pnmi == pytest.approx(1)
    assert purity(np.zeros(4, int), labels).pnmi == pytest.approx(0)
    assert purity(np.zeros(2, int), np.array(["a", "a"])).nmi == 1
