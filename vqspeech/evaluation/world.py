"""Conversion by WORLD (Morise, Yokomori and Ozawa 2016) as a baseline: pitch and mean spectrum moved to the target's.

Log F0 gets the target's mean and deviation (Liu et al. 2007), each mel-cepstrum the target's mean. Optional.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vqspeech.extras import require

PACKAGES = ("pyworld",)
CEPSTRA = 40


@dataclass(frozen=True)
class Statistics:
    """Of a speaker's voiced frames."""

    pitch_mean: float
    """Of log F0."""
    pitch_deviation: float
    spectrum: np.ndarray
    """Mean of the cepstra [40]."""


def require_world() -> None:
    """Raise NotInstalled when pyworld is not installed."""
    require(PACKAGES, "the extra compiled-judges")


def statistics(waveforms: Iterable[np.ndarray], sample_rate: int) -> Statistics | None:
    """How a speaker's utterances [T] sound; None when no frame of any is voiced."""
    found = [_analyse(waveform, sample_rate) for waveform in waveforms]
    if not found:
        return None
    pitch = np.concatenate([pitch for pitch, _, _ in found])
    cepstra = np.concatenate([cepstra for _, cepstra, _ in found])
    voiced = pitch > 0
    if not voiced.any():
        return None
    log_pitch = np.log(pitch[voiced])
    return Statistics(log_pitch.mean(), log_pitch.std(), cepstra[voiced].mean(axis=0))


def transform(waveform: np.ndarray, sample_rate: int, source: Statistics, target: Statistics) -> np.ndarray:
    """`waveform` [T] of a speaker like `source`, made to sound like `target`, as long."""
    import pyworld

    pitch, cepstra, aperiodicity = _analyse(waveform, sample_rate)
    voiced = pitch > 0
    scale = target.pitch_deviation / source.pitch_deviation if source.pitch_deviation else 1.0
    pitch[voiced] = np.exp((np.log(pitch[voiced]) - source.pitch_mean) * scale + target.pitch_mean)
    moved = cepstra + (target.spectrum - source.spectrum)
    spectrum = pyworld.decode_spectral_envelope(moved, sample_rate, 2 * (aperiodicity.shape[1] - 1))
    made = pyworld.synthesize(pitch, spectrum, aperiodicity, sample_rate)
    return made[: len(waveform)].astype(np.float32)


def _analyse(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """F0 in Hz (0 where unvoiced) [frames], cepstra [frames, 40] and aperiodicity [frames, bins], every 5 ms."""
    import pyworld

    samples = waveform.astype(np.float64)
    rough, times = pyworld.dio(samples, sample_rate)
    pitch = pyworld.stonemask(samples, rough, times, sample_rate)
    spectrum = pyworld.cheaptrick(samples, pitch, times, sample_rate)
    aperiodicity = pyworld.d4c(samples, pitch, times, sample_rate)
    return pitch, pyworld.code_spectral_envelope(spectrum, sample_rate, CEPSTRA), aperiodicity
