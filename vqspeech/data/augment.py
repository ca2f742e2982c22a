"""What is done to the speech that the encoder hears in training, so that its codes leave the voice to the speaker."""

import numpy as np

FFT = 512
"""Samples of each window of the phase vocoder, which has to work within a crop."""


def pitch_shifted(waveform: np.ndarray, semitones: float, sample_rate: int) -> np.ndarray:
    """The same speech as from a larger or smaller throat: pitch and formants moved together, its timing kept.

    `waveform [T]` float32 -> `[T]` float32 of the same loudness. Stretched by a phase vocoder, then resampled (Laroche
    and Dolson 1999); against codes that tell the voice as in Choi et al. 2021 (NANSY, section 3.1). What is shorter
    than one window is returned as it is.
    """
    if len(waveform) < FFT:
        return waveform
    # Imported where needed: training without it runs on machines that have no librosa.
    from librosa.effects import pitch_shift

    shifted = pitch_shift(waveform, sr=sample_rate, n_steps=semitones, n_fft=FFT, res_type="soxr_mq")
    loudness = np.sqrt(np.mean(np.square(waveform)) / max(float(np.mean(np.square(shifted))), 1e-12))
    return (shifted * min(float(loudness), 4.0)).astype(np.float32)
