"""Fundamental frequency by normalised autocorrelation (Boersma 1993), in numpy alone."""

import numpy as np

from vqspeech.evaluation.frames import pad_for_frames

LOWEST_HZ = 60.0
HIGHEST_HZ = 400.0
WINDOW_SECONDS = 0.040
VOICED_STRENGTH = 0.55
OCTAVE_COST = 0.02


def pitch(waveform: np.ndarray, sample_rate: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz and whether the frame is voiced: [ceil(T / hop)] each, of `waveform` [T].

    The autocorrelation of a windowed frame is divided by that of the window (Boersma 1993), so that its peak
    is the share of the energy that is periodic; a small cost per octave down prefers the shortest period.
    """
    window = np.hanning(round(WINDOW_SECONDS * sample_rate))
    padded = pad_for_frames(waveform, len(window), hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[::hop]
    correlation = _autocorrelation((frames - frames.mean(axis=1, keepdims=True)) * window)
    correlation /= _autocorrelation(window)

    shortest, longest = int(sample_rate / HIGHEST_HZ), int(sample_rate / LOWEST_HZ)
    lags = np.arange(shortest, longest)
    strengths = correlation[:, lags]
    # Rumble below the lowest pitch has no peak in this range: its slope alone is no pitch.
    peaks = (strengths >= correlation[:, lags - 1]) & (strengths >= correlation[:, lags + 1])
    strengths = np.where(peaks, strengths, 0.0)
    best = (strengths - OCTAVE_COST * np.log2(lags / shortest)).argmax(axis=1)
    return sample_rate / lags[best], strengths[np.arange(len(best)), best] > VOICED_STRENGTH


def _autocorrelation(frames: np.ndarray) -> np.ndarray:
    """Autocorrelation [..., length] of `frames` [..., length], 1 at lag 0 (0 for silence)."""
    length = frames.shape[-1]
    power = np.abs(np.fft.rfft(frames, 2 * length)) ** 2
    correlation = np.fft.irfft(power)[..., :length]
    return correlation / np.maximum(correlation[..., :1], 1e-9)
