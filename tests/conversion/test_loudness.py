import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.audio import PEAK
from vqspeech.conversion.loudness import limited, silence_threshold, silenced


def blocks(waveform: np.ndarray, size: int) -> list[np.ndarray]:
    return [waveform[i : i + size] for i in range(0, len(waveform), size)]


@pytest.mark.parametrize("size", [1, 37, 1000, 8000])
def test_peaks_stay_below_the_limit_and_quiet_samples_as_they_are(size: int):
    waveform = voice(100, 0.5, seed=0)
    waveform[3000:3003] = (2.0, -5.0, 1.0)
    waveform[-1] = 3.0
    out = np.concatenate(list(limited(blocks(waveform, size), RATE)))
    assert out.shape == waveform.shape and out.dtype == np.float32
    assert np.abs(out).max() <= PEAK * (1 + 1e-6)
    assert np.abs(out[3001]) == pytest.approx(PEAK, rel=1e-3)
    # 5 ms away from a peak nothing is touched.
    assert np.array_equal(out[: 3000 - 80], waveform[: 3000 - 80])
    assert np.array_equal(out[3003 + 80 : -80], waveform[3003 + 80 : -80])


def test_the_limiter_holds_back_five_milliseconds_and_no_more():
    one, *_ = limited(iter(blocks(voice(100, 0.5, seed=0), 1000)), RATE)
    assert len(one) == 1000 - 79


@pytest.mark.parametrize("size", [160, 999, 16000])
def test_where_the_source_is_silent_the_conversion_is(size: int):
    source = np.zeros(RATE, np.float32)
    source[4000:8000] = voice(100, 0.25, seed=0)
    converted = np.ones(RATE, np.float32)
    out = np.concatenate(list(silenced(blocks(converted, size), blocks(source, 700), RATE, silence_threshold(1.0))))
    assert len(out) == RATE
    assert np.all(out[4000:8000] == 1)
    # 20 ms are let through on either side, 10 ms more fade, and frames begin at multiples of 10 ms.
    assert not out[: 4000 - 640].any() and not out[8000 + 640 :].any()
    assert np.abs(np.diff(out)).max() < 0.01


def test_noise_of_rounding_is_silence_and_quiet_speech_is_none():
    noise = np.random.default_rng(0).integers(-1, 2, RATE).astype(np.float32) / 2**15
    ones = [np.ones(RATE, np.float32)]
    assert not np.concatenate(list(silenced(ones, [noise], RATE, silence_threshold(1000.0)))).any()
    quiet = 0.001 * voice(100, 1.0, seed=0)  # about -80 dBFS at its loudest: a level of -63 is not yet silence
    gain = 100.0
    out = np.concatenate(list(silenced(ones, [quiet * 10], RATE, silence_threshold(gain))))
    assert out.mean() > 0.95


def test_the_offset_of_a_card_is_silence():
    offset = np.full(RATE, 0.01, np.float32)
    offset[:4000] += voice(100, 0.25, seed=0)
    out = np.concatenate(list(silenced([np.ones(RATE, np.float32)], [offset], RATE, silence_threshold(1.0))))
    assert np.all(out[:4000] == 1) and not out[4000 + 640 :].any()


def test_the_threshold_goes_with_the_level_of_the_speech():
    # Speech at -23 dBFS: 55 dB below. At -3 dBFS: the same below that. Never below the noise of 16 bits.
    assert 20 * np.log10(silence_threshold(1.0)) == pytest.approx(-78)
    assert 20 * np.log10(silence_threshold(0.1)) == pytest.approx(-58)
    assert 20 * np.log10(silence_threshold(100.0)) == pytest.approx(-80)
