import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, normalized_mutual_info_score

from vqspeech.evaluation.purity import purity


def test_by_hand() -> None:
    codes = [np.array([0, 0, 0]), np.array([1, 1, 2])]
    labels = [np.array(["a", "a", "b"]), np.array(["b", "b", "a"])]
    found = purity(codes, labels)
    # Commonest phone of each code: 2 + 2 + 1 of 6; commonest code of each phone: 2 + 2 of 6.
    assert found.phone_purity == pytest.approx(5 / 6)
    assert found.cluster_purity == pytest.approx(4 / 6)


def test_information_as_scikit_learn_has_it() -> None:
    rng = np.random.default_rng(0)
    phones = rng.integers(10, size=5000)
    codes = (3 * phones + rng.integers(12, size=5000)) % 32
    found = purity(np.split(codes, 50), np.split(phones.astype(str), 50))
    assert found.nmi == pytest.approx(normalized_mutual_info_score(phones, codes))
    assert found.pnmi == pytest.approx(mutual_info_score(phones, codes) / mutual_info_score(phones, phones))
    for name in ("phone_purity", "cluster_purity", "nmi", "pnmi"):
        low, high = getattr(found, f"{name}_interval")
        assert low < getattr(found, name) < high < low + 0.05


def test_utterances_count_as_often_as_they_are_drawn() -> None:
    # One utterance is pure, the other is not: drawn twice they leave 1 and 1 / 2, with the figure 3 / 4 between.
    found = purity([np.array([0, 0]), np.array([1, 1])], [np.array(["a", "a"]), np.array(["b", "c"])])
    assert found.phone_purity == 3 / 4
    assert found.phone_purity_interval == pytest.approx([0.5, 1], abs=0.02)


def test_extremes() -> None:
    labels = [np.array(["a", "b", "c", "a"])]
    assert purity([np.array([5, 1, 9, 5])], labels).pnmi == pytest.approx(1)
    assert purity([np.zeros(4, int)], labels).pnmi == pytest.approx(0)
    assert purity([np.zeros(2, int), np.zeros(0, int)], [np.array(["a", "a"]), np.zeros(0, str)]).nmi == 1
