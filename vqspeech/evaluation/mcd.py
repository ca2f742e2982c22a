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
    a, b = (
        mfcc(waveform, sample_rate, round(HOP_SECONDS * sample_rate), CEPSTRA + 1) for waveform in (heard, reference)
    )
    if len(heard) == len(reference):
        speech = is_loud(b)
        a, b = a[speech], b[speech]
    else:
        from librosa.sequence import dtw

        a, b = a[is_loud(a)], b[is_loud(b)]
        _, path = dtw(a[:, 1:].T, b[:, 1:].T)
        a, b = a[path[:, 0]], b[path[:, 1]]
    # The rows of an orthonormal cosine transform of dB: its squares add up to those of the bands.
    return float(np.linalg.norm(a[:, 1:] - b[:, 1:], axis=1).mean() / np.sqrt(BANDS))
