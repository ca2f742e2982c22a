"""Silence that stays silence, and peaks that are never clipped."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from vqspeech.audio import LEVEL_DBFS, PEAK
from vqspeech.windows import windows

SILENCE_DBFS = -80.0
"""Quieter frames hold no speech, only the noise of rounding to 16 bits."""
SILENCE_BELOW_SPEECH_DB = 55.0
"""Nor do frames that are so much quieter than the speech around them."""
FRAME_SECONDS = 0.01
HELD_FRAMES = 2
"""Frames before and after sound that are let through as well."""
LIMITER_SECONDS = 0.005


def silence_threshold(gain: float) -> float:
    """The RMS about their mean below which frames are silent, in a signal that `gain` brings to training level."""
    return max(10 ** (SILENCE_DBFS / 20), 10 ** ((LEVEL_DBFS - SILENCE_BELOW_SPEECH_DB) / 20) / gain)


def silenced(
    converted: Iterable[np.ndarray], source: Iterable[np.ndarray], sample_rate: int, threshold: float
) -> Iterator[np.ndarray]:
    """Blocks `[T]` of a conversion -> the same with silence where its source, in other blocks `[T]`, is silent.

    The source has to be heard 30 ms ahead. Sound fades in and out over 10 ms.
    """
    envelope = _envelope(source, sample_rate, threshold)
    held = np.zeros(0, np.float32)
    for block in converted:
        pieces = [held]
        missing = len(block) - len(held)
        while missing > 0:
            pieces.append(next(envelope))
            missing -= len(pieces[-1])
        held = np.concatenate(pieces)
        yield block * held[: len(block)]
        held = held[len(block) :]


def limited(blocks: Iterable[np.ndarray], sample_rate: int) -> Iterator[np.ndarray]:
    """Blocks `[T]` -> the same samples, turned down around those that would lie above `PEAK`.

    A sample's gain is the mean over the 5 ms before it of the least that is needed in the 5 ms that follow, so it is
    smooth and never more than the sample needs itself. Comes 5 ms later.
    """
    size = round(LIMITER_SECONDS * sample_rate)
    silence = np.zeros(size - 1, np.float32)
    # The first `size - 1` samples that are held have been given already.
    held = silence
    for block in chain(blocks, [silence]):
        held = np.concatenate([held, block])
        if len(held) < 2 * size - 1:
            continue
        needed = PEAK / np.maximum(np.abs(held), PEAK)
        least = sliding_window_view(needed, size).min(axis=1)
        gain = sliding_window_view(least, size).mean(axis=1)
        yield (held[size - 1 : size - 1 + len(gain)] * gain).astype(np.float32)
        held = held[len(gain) :]


def _envelope(source: Iterable[np.ndarray], sample_rate: int, threshold: float) -> Iterator[np.ndarray]:
    """Blocks `[T]` -> for each frame the factors of its samples: 1 around sound, 0 in silence, ramps between."""
    size = round(FRAME_SECONDS * sample_rate)
    before: float | None = None
    for window in windows(source, size, 1, HELD_FRAMES):
        frames = np.pad(window.samples, (0, -len(window.samples) % size)).reshape(-1, size)
        # The offset of a cheap card is no sound.
        now = float((frames.var(axis=1) >= threshold**2).any())
        yield np.linspace(now if before is None else before, now, size, dtype=np.float32)
        before = now
