import numpy as np
import pytest

from vqspeech.evaluation.pitch import pitch

RATE = 16000
TIME = np.arange(RATE) / RATE


@pytest.mark.parametrize("frequency", [75, 110, 210, 350])
def test_pitch_of_a_harmonic_sound(frequency):
    sound = sum(np.sin(2 * np.pi * harmonic * frequency * TIME) for harmonic in range(1, 9))
    found, voiced = pitch(sound, RATE, hop=160)
    assert len(found) == len(voiced) == 100
    assert voiced[5:-5].all()
    assert found[5:-5] == pytest.approx(frequency, rel=0.03)


def test_noise_silence_and_rumble_are_unvoiced():
    noise = np.random.default_rng(0).standard_normal(RATE)
    rumble = np.sin(2 * np.pi * 20 * TIME)
    for sound in (noise, np.zeros(RATE), rumble):
        assert pitch(sound, RATE, hop=160)[1][5:-5].mean() < 0.05
