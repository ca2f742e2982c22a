import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.evaluation.estoi import estoi

pytest.importorskip("pystoi", reason="the optional judge is not installed")


def test_a_copy_without_loss_scores_one_and_another_sound_nothing() -> None:
    said = voice(150, 2.0, seed=1)
    assert estoi(said, said, RATE)["estoi"] == pytest.approx(1.0)
    assert estoi(0.2 * said, said, RATE)["estoi"] == pytest.approx(1.0)
    noise = np.random.default_rng(0).standard_normal(len(said)).astype(np.float32)
    assert abs(estoi(noise, said, RATE)["estoi"]) < 0.1


def test_silence_scores_the_same_every_time_and_leaves_numpy_s_generator_alone() -> None:
    said = voice(150, 1.0, seed=1)
    np.random.seed(5)
    first = estoi(0 * said, said, RATE)
    drawn = np.random.random()
    np.random.seed(5)
    assert np.random.random() == drawn
    assert estoi(0 * said, said, RATE) == first


def test_what_is_too_short_has_no_score() -> None:
    said = voice(150, 0.2, seed=1)
    assert estoi(said, said, RATE) is None
