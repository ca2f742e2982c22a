import numpy as np
import pytest
from scipy.signal import firwin2, lfilter

from tests.speech import RATE
from vqspeech.evaluation.mcd import aligned_moments, mel_cepstral_distortion


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def ripple(waveform: np.ndarray, decibels: float, order: int) -> np.ndarray:
    """`waveform` through a filter whose gain in dB is a cosine over the mel axis: one cepstrum, of that order."""
    from librosa import hz_to_mel, mel_to_hz

    mels = np.linspace(0, 1, 200)
    frequencies = mel_to_hz(mels * hz_to_mel(RATE / 2))
    frequencies[-1] = RATE / 2  # not a rounding more
    gains = 10 ** (decibels * np.cos(np.pi * order * mels) / 20)
    return lfilter(firwin2(1023, frequencies, gains, fs=RATE), 1.0, waveform)[511:]


@pytest.mark.parametrize(("decibels", "order"), [(4.0, 1), (4.0, 5), (8.0, 3)])
def test_a_ripple_of_the_spectrum_is_its_root_mean_square(decibels: float, order: int) -> None:
    # A cosine of amplitude A has a root mean square of A / sqrt 2.
    wave = noise(0)
    rippled = ripple(wave, decibels, order)
    found = mel_cepstral_distortion(rippled, wave[: len(rippled)], RATE)
    assert found == pytest.approx(decibels / 2**0.5, rel=0.1)


def test_loudness_and_ripples_too_fine_for_13_cepstra_do_not_count() -> None:
    wave = noise(0)
    assert mel_cepstral_distortion(0.3 * wave, wave, RATE) == pytest.approx(0, abs=1e-3)
    fine = ripple(wave, 4.0, 18)
    assert mel_cepstral_distortion(fine, wave[: len(fine)], RATE) < 1.0


def test_speech_of_another_length_is_aligned() -> None:
    # Two sounds, held for other times: frame by frame they would differ in the middle, aligned they do not.
    low, high = ripple(noise(1), 12.0, 1), ripple(noise(2), -12.0, 1)
    short = np.concatenate([low[:6000], high[:6000]])
    long = np.concatenate([low[:12000], high[:6000]])
    other = np.concatenate([high[:6000], low[:12000]])
    aligned, swapped = (mel_cepstral_distortion(one, short, RATE) for one in (long, other))
    assert aligned < swapped / 2


def test_silence_beside_speech_is_left_out() -> None:
    quiet = 1e-3 * noise(3)
    wave, other = np.concatenate([noise(1), quiet]), np.concatenate([noise(1), ripple(quiet, 12.0, 1), noise(4, 0.1)])
    assert mel_cepstral_distortion(other[: len(wave)], wave, RATE) == pytest.approx(0, abs=0.1)


def test_moments_that_sound_alike_are_found() -> None:
    low, high = ripple(noise(1), 12.0, 1), ripple(noise(2), -12.0, 1)
    short = np.concatenate([low[:6000], high[:6000]])
    long = np.concatenate([np.zeros(4000, np.float32), low[:12000], high[:6000]])
    heard, reference = aligned_moments(long, short, RATE)
    assert len(heard) == len(reference)
    # After silence, which has no counterpart, the sound changes at 16000 of one, at 6000 of the other.
    assert heard.min() > 3700 / RATE
    agree = (heard < 16000 / RATE) == (reference < 6000 / RATE)
    assert agree.mean() > 0.97
