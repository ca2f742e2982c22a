import math

import numpy as np
import pytest

from vqspeech.data.augment import pitch_shifted

RATE = 16000
TIME = np.arange(3840) / RATE


def test_a_tone_moves_by_so_many_semitones_and_keeps_its_length_and_loudness() -> None:
    tone = (0.3 * np.sin(2 * np.pi * 1000 * TIME)).astype(np.float32)
    shifted = pitch_shifted(tone, 12 * math.log2(1.2), RATE)
    assert shifted.dtype == np.float32
    assert shifted.shape == tone.shape
    spectrum = np.abs(np.fft.rfft(shifted * np.hanning(3840), 16 * 3840))
    assert np.argmax(spectrum) * RATE / (16 * 3840) == pytest.approx(1200, abs=10)
    assert np.sqrt(np.mean(shifted**2)) == pytest.approx(0.3 / math.sqrt(2), rel=1e-3)


@pytest.mark.parametrize("semitones", [-3.0, 3.0])
def test_what_sounds_sounds_at_the_same_time_within_a_step_of_the_vocoder(semitones: float) -> None:
    burst = np.where(abs(TIME - 0.15) < 0.02, np.sin(2 * np.pi * 800 * TIME), 0).astype(np.float32)
    energy = pitch_shifted(burst, semitones, RATE) ** 2
    assert (energy * TIME).sum() / energy.sum() == pytest.approx(0.15, abs=0.008)


def test_silence_and_clips_too_short_to_shift_stay_what_they_are() -> None:
    assert not pitch_shifted(np.zeros(3840, np.float32), 3.0, RATE).any()
    clip = np.linspace(-1, 1, 200, dtype=np.float32)
    assert pitch_shifted(clip, 3.0, RATE) is clip
