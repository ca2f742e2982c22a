"""How far the intonation of a copy is from its source's, in log F0 by SwiftF0 (Nieradzik 2025). Optional."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.extras import require

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

PACKAGES = ("swift-f0",)
SAMPLE_RATE = 16000
LOWEST_HZ = 60.0
HIGHEST_HZ = 500.0
VOICED = 0.5
FEWEST_FRAMES = 10


def log_f0(copy: np.ndarray, source: np.ndarray, sample_rate: int) -> Mapping[str, float] | None:
    """`rmse` and `correlation` of natural log F0 of `copy` [T] and `source` [T], over frames voiced in both.

    `voiced` is the share of the source's voiced frames that they are. None when there are fewer than ten such frames
    of 16 ms, or either does not move.
    Raises NotInstalled without the package.
    """
    require(PACKAGES, "the extra audio-judges")
    (heard, heard_voiced), (said, said_voiced) = (_track(one, sample_rate) for one in (copy, source))
    both = heard_voiced & said_voiced
    if both.sum() < FEWEST_FRAMES or not (np.ptp(heard[both]) and np.ptp(said[both])):
        return None
    return {
        "rmse": float(np.sqrt(np.mean((heard[both] - said[both]) ** 2))),
        "correlation": float(np.corrcoef(heard[both], said[both])[0, 1]),
        "voiced": float(both.sum() / said_voiced.sum()),
    }


def _track(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Log F0 and whether it is voiced, of each frame."""
    import soxr

    audio = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    found = _detector().detect(audio, SAMPLE_RATE, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)
    return np.log(np.maximum(found.pitch_hz, LOWEST_HZ)), found.confidence >= VOICED


@cache
def _detector() -> "SwiftF0":
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1)
