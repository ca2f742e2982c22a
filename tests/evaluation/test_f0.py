import numpy as np
import pytest

from tests.speech import RATE
from vqspeech.evaluation.f0 import log_f0, voiced_log_f0

pytest.importorskip("swift_f0", reason="the optional judge is not installed")


def glide(start: float, end: float, seconds: float = 1.0) -> np.ndarray:
    """A buzz whose log pitch goes evenly from `start` to `end` Hz."""
    time = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(start * (end / start) ** (time / seconds)) / RATE
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, 9)).astype(np.float32)


def test_a_copy_a_tone_higher_is_a_tone_off_and_moves_alike() -> None:
    said, higher = glide(100, 200), glide(100 * 2 ** (2 / 12), 200 * 2 ** (2 / 12))
    scores = log_f0(higher, said, RATE)
    assert scores["rmse"] == pytest.approx(np.log(2) * 2 / 12, rel=0.03)
    assert scores["correlation"] == pytest.approx(1.0, abs=0.01)
    assert scores["voiced"] == pytest.approx(1.0, abs=0.05)


def test_a_copy_that_falls_where_its_source_rises() -> None:
    # Two lines that cross: they lie log 2 * (1 - 2 t) apart, of which the root mean square is log 2 / sqrt 3.
    scores = log_f0(glide(200, 100), glide(100, 200), RATE)
    assert scores["correlation"] == pytest.approx(-1.0, abs=0.02)
    assert scores["rmse"] == pytest.approx(np.log(2) / 3**0.5, rel=0.05)


def test_only_frames_voiced_in_both_count() -> None:
    said = glide(100, 200)
    half = said.copy()
    half[len(half) // 2 :] = 0
    scores = log_f0(half, said, RATE)
    assert scores["voiced"] == pytest.approx(0.5, abs=0.05)
    assert scores["rmse"] == pytest.approx(0.0, abs=0.02)
    assert log_f0(0 * said, said, RATE) is None
    assert log_f0(said[:800], said[:800], RATE) is None


def test_speech_of_another_tempo_is_compared_at_moments_that_belong_together() -> None:
    # Up and down; the copy takes twice the time, so that frame by frame it rises where its source falls.
    said = np.concatenate([glide(100, 200), glide(200, 100)])
    slow = np.concatenate([glide(100, 200, 2.0), glide(200, 100, 2.0)])
    seconds = np.arange(0, 2, 0.005)
    assert log_f0(slow[: len(said)], said, RATE)["correlation"] < 0.2
    assert log_f0(slow, said, RATE, (2 * seconds, seconds))["correlation"] == pytest.approx(1.0, abs=0.02)
    assert log_f0(slow, said, RATE, (seconds[:5], seconds[:5])) is None


def test_pitch_is_told_of_voiced_frames_alone() -> None:
    said = np.concatenate([glide(150, 150), np.zeros(RATE, np.float32)])
    found = voiced_log_f0(said, RATE)
    assert len(found) == pytest.approx(1 / 0.016, rel=0.1)
    assert np.exp(found) == pytest.approx(150, rel=0.02)
