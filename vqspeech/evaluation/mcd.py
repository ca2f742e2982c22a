"""Mel-cepstral distortion (Kubichek 1993), frame by frame or along the best alignment in time."""

import numpy as np

from vqspeech.evaluation.mfcc import BANDS, is_loud, mfcc

HOP_SECONDS = 0.005
CEPSTRA = 13


def mel_cepstral_distortion(heard: np.ndarray, reference: np.ndarray, sample_rate: int) -> float:
    """Mean distance in dB of `heard` [T1] from `reference` [T2].

    Over cepstra 1 to 13, so that loudness does not count: 10 / ln 10 * sqrt(2 * sum of squared differences) of the
    cepstra of log amplitude, which is the root mean square, over mel bands, by which the smoothed spectra differ. Of
    the frames of speech alone, within 30 dB of the loudest. Waveforms of one length are compared frame by frame,
    others by dynamic time warping.
    """
    a, b = (_cepstra(waveform, sample_rate) for waveform in (heard, reference))
    if len(heard) == len(reference):
        rows = columns = np.flatnonzero(is_loud(b))
    else:
        rows, columns = _aligned(a, b)
    # The rows of an orthonormal cosine transform of dB: its squares add up to those of the bands.
    return float(np.linalg.norm(a[rows, 1:] - b[columns, 1:], axis=1).mean() / np.sqrt(BANDS))


def aligned_moments(heard: np.ndarray, reference: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds of `heard` [T1] and of `reference` [T2] that sound alike, [n] each: the alignment of the distortion."""
    rows, columns = _aligned(*(_cepstra(waveform, sample_rate) for waveform in (heard, reference)))
    return rows * HOP_SECONDS, columns * HOP_SECONDS


def _cepstra(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    return mfcc(waveform, sample_rate, round(HOP_SECONDS * sample_rate), CEPSTRA + 1)


def _aligned(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames of `a` and of `b` [n] along the best alignment of their speech."""
    from librosa.sequence import dtw

    rows, columns = np.flatnonzero(is_loud(a)), np.flatnonzero(is_loud(b))
    _, path = dtw(a[rows, 1:].T, b[columns, 1:].T)
    return rows[path[:, 0]], columns[path[:, 1]]
