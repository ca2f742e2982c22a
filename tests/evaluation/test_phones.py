import numpy as np
import pytest

from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.phones import majority_map, phone_accuracy


def test_a_code_stands_for_its_commonest_phone_and_an_unseen_one_for_the_commonest_of_all():
    codes = np.array([0, 0, 0, 1, 1, 1, 1])
    labels = np.array(["a", "a", "b", "b", "b", "b", "c"])
    assert majority_map(codes, labels, size=3).tolist() == ["a", "b", "b"]


def test_accuracy_by_hand():
    train_codes = np.array([0, 0, 0, 1, 1, 2])
    train_labels = np.array(["a", "a", "b", "b", "pau", "a"])
    # The map is 0: a, 1: b, 2: a; silence counts neither here nor there.
    test_codes = np.array([0, 1, 2, 0, 1, 1])
    test_labels = np.array(["a", "b", "b", "pau", "", "a"])
    scores = phone_accuracy([train_codes], [train_labels], [test_codes], [test_labels], codes=3)
    assert scores.accuracy == pytest.approx(2 / 4)
    assert scores.commonest == pytest.approx(2 / 4)  # a
    assert (scores.phones, scores.train_frames, scores.test_frames) == (2, 5, 4)


def test_the_interval_is_over_utterances_without_their_silence():
    codes, labels = [np.zeros(4, int)] * 2, [np.array(["a", "a", "a", "pau"]), np.array(["a", "b", "pau", ""])]
    scores = phone_accuracy(codes, labels, codes, labels, codes=1)
    # Of both utterances 4 of 5 frames are right; drawn alone the first has 3 of 3, the second 1 of 2.
    assert scores.accuracy == pytest.approx(4 / 5)
    assert scores.accuracy_interval == [1 / 2, 1.0]


def test_codes_that_tell_phones_apart_beat_random_ones_and_the_commonest_phone():
    rng = np.random.default_rng(1)
    phones = np.array([f"phone{number}" for number in range(10)])
    train, test = rng.integers(10, size=5000), rng.integers(10, size=5000)
    scores = phone_accuracy([train * 3], [phones[train]], [test * 3], [phones[test]], codes=30)
    assert scores.accuracy == 1.0
    assert scores.commonest == pytest.approx(0.1, abs=0.02)
    assert scores.random == pytest.approx(0.1, abs=0.02)


def test_the_map_is_learnt_on_train_alone():
    # On the test side codes and phones are swapped: a map that had seen them would score 1.
    codes, phones = [np.array([0, 1])], [np.array(["a", "b"])]
    scores = phone_accuracy(codes, phones, codes, [phones[0][::-1]], codes=2)
    assert scores.accuracy == 0.0


def test_only_silence_cannot_be_measured():
    with pytest.raises(CannotMeasure, match="no labelled frame"):
        phone_accuracy([np.array([0])], [np.array(["pau"])], [np.array([0])], [np.array(["a"])], codes=1)
