"""Pitch and intonation in log F0 by SwiftF0 (Nieradzik 2025): alone, or how far from another's. Optional."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.extras import require

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

PACKAGES = ("swift-f0",)
SAMPLE_RATE = 16000
FRAME_SECONDS = 0.016
LOWEST_HZ = 60.0
HIGHEST_HZ = 500.0
VOICED = 0.5
FEWEST_FRAMES = 10

Moments = tuple[np.ndarray, np.ndarray]
"""Seconds of one recording, and those of another that belong to them: [n] each."""


def require_f0() -> None:
    """Raise NotInstalled without the package."""
    require(PACKAGES, "the extra audio-judges")


def log_f0(
    copy: np.ndarray, source: np.ndarray, sample_rate: int, moments: Moments | None = None
) -> Mapping[str, float] | None:
    """`rmse` and `correlation` of natural log F0 of `copy` [T1] and `source` [T2], over frames voiced in both.

    Compared are the given `moments` of both, by default the same frames, for which T1 = T2. `voiced` is the share of
    the source's voiced frames that they are. None when there are fewer than ten such frames of 16 ms, or either does
    not move.
    Raises NotInstalled without the package.
    """
    require_f0()
    tracks = [_track(one, sample_rate) for one in (copy, source)]
    if moments:
        tracks = [_at(seconds, *track) for seconds, track in zip(moments, tracks, strict=True)]
    (heard, heard_voiced), (said, said_voiced) = tracks
    both = heard_voiced & said_voiced
    if both.sum() < FEWEST_FRAMES or not (np.ptp(heard[both]) and np.ptp(said[both])):
        return None
    return {
        "rmse": float(np.sqrt(np.mean((heard[both] - said[both]) ** 2))),
        "correlation": float(np.corrcoef(heard[both], said[both])[0, 1]),
        "voiced": float(both.sum() / said_voiced.sum()),
    }


def voiced_log_f0(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Natural log F0 of the voiced frames of `waveform` [T]; raises NotInstalled without the package."""
    require_f0()
    found, voiced = _track(waveform, sample_rate)
    return found[voiced]


def _track(waveform: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Log F0 and whether it is voiced, of each frame."""
    import soxr

    audio = soxr.resample(waveform, sample_rate, SAMPLE_RATE)
    found = _detector().detect(audio, SAMPLE_RATE, fmin=LOWEST_HZ, fmax=HIGHEST_HZ)
    return np.log(np.maximum(found.pitch_hz, LOWEST_HZ)), found.confidence >= VOICED


def _at(seconds: np.ndarray, found: np.ndarray, voiced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A track at these seconds."""
    frames = np.minimum(np.round(seconds / FRAME_SECONDS).astype(int), len(found) - 1)
    return found[frames], voiced[frames]


@cache
def _detector() -> "SwiftF0":
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1)
