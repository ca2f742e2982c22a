import numpy as np
import pytest

from tests.speech import RATE
from vqspeech.evaluation.f0 import log_f0

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
