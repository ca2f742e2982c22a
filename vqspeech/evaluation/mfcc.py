"""Mel-frequency cepstral coefficients, and the log-mel bands they come from, whose frames fit the codes' frames."""

import numpy as np

from vqspeech.evaluation.frames import pad_for_frames

WINDOW_SECONDS = 0.025
BANDS = 40
SPEECH_RANGE_DB = 30.0


def mfcc(waveform: np.ndarray, sample_rate: int, hop: int, coefficients: int = 13) -> np.ndarray:
    """Cepstra [ceil(T / hop), coefficients] of `waveform` [T], from 25 ms around each frame's centre."""
    from librosa.feature import mfcc

    return mfcc(S=log_mel_bands(waveform, sample_rate, hop).T, n_mfcc=coefficients).T


def log_mel_bands(waveform: np.ndarray, sample_rate: int, hop: int) -> np.ndarray:
    """Power of 40 mel bands in dB, [ceil(T / hop), 40], down to 80 dB under the loudest."""
    from librosa import power_to_db
    from librosa.feature import melspectrogram

    window = round(WINDOW_SECONDS * sample_rate)
    padded = pad_for_frames(waveform, window, hop)
    sizes = {"n_fft": window, "hop_length": hop, "n_mels": BANDS}
    return power_to_db(melspectrogram(y=padded, sr=sample_rate, center=False, **sizes)).T


def mfcc39(waveform: np.ndarray, sample_rate: int, hop: int) -> np.ndarray:
    """13 cepstra with their first and second differences: [ceil(T / hop), 39]."""
    from librosa.feature import delta

    static = mfcc(waveform, sample_rate, hop)
    # "nearest" repeats the edge frames, so that an utterance may be shorter than the nine frames looked at.
    differences = [delta(static, order=order, axis=0, mode="nearest") for order in (1, 2)]
    return np.concatenate([static, *differences], axis=1)


def is_loud(cepstra: np.ndarray) -> np.ndarray:
    """Which frames [frames] of cepstra [frames, coefficients] have a mean log-mel within 30 dB of the loudest."""
    level = cepstra[:, 0] / np.sqrt(BANDS)  # the orthonormal cosine transform's first row is 1 / sqrt(bands)
    return level > level.max() - SPEECH_RANGE_DB
