import numpy as np
import pytest

from tests.speech import RATE
from vqspeech.evaluation.pitch import pitch
from vqspeech.evaluation.world import statistics, transform

pytest.importorskip("pyworld", reason="the optional baseline is not installed")


def buzz(frequency: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    waver = 1 + 0.05 * np.sin(2 * np.pi * 3 * time)
    phase = 2 * np.pi * np.cumsum(frequency * waver) / RATE
    harmonics = sum(np.sin(k * phase) / k for k in range(1, int(0.45 * RATE / frequency)))
    noise = 0.001 * np.random.default_rng(0).standard_normal(len(time))
    return (0.1 * harmonics + noise).astype(np.float32)


def test_the_pitch_becomes_the_target_s() -> None:
    low, high = (statistics([buzz(frequency)], RATE) for frequency in (110, 220))
    assert np.exp(low.pitch_mean) == pytest.approx(110, rel=0.02)
    said = buzz(110)
    made = transform(said, RATE, low, high)
    assert made.dtype == np.float32
    assert len(made) == len(said)
    found, voiced = pitch(made, RATE, 160)
    assert np.median(found[voiced]) == pytest.approx(220, rel=0.03)


def test_the_mean_spectrum_becomes_the_target_s() -> None:
    dull = buzz(150)
    bright = np.append(np.diff(dull), np.float32(0))
    ours, theirs = statistics([dull], RATE), statistics([bright], RATE)
    moved = statistics([transform(dull, RATE, ours, theirs)], RATE).spectrum
    assert np.linalg.norm(moved - theirs.spectrum) < 0.3 * np.linalg.norm(ours.spectrum - theirs.spectrum)


def test_what_has_no_pitch_has_no_statistics() -> None:
    assert statistics([], RATE) is None
    assert statistics([np.zeros(RATE, np.float32)], RATE) is None
