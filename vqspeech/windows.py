"""Signals of any length in windows, each with enough of its surroundings that its middle comes out as in the whole."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A stretch of a signal and what surrounds it."""

    samples: np.ndarray
    """`[T, ...]`."""
    frames: slice
    """Of the window's frames those that no other window gives."""


def windows(
    blocks: Iterable[np.ndarray], hop: int, stretch: int, context: int, lead: int | None = None
) -> Iterator[Window]:
    """Cut a signal, which comes in blocks `[T, ...]`, into windows of `stretch` frames of `hop` samples.

    `context` frames on either side surround them, less at the ends of the signal. The first is of `lead` frames where
    that is given. Where the blocks end does not matter.
    """
    held: np.ndarray | None = None
    begin = first = 0  # the frames at which what is held, and the next stretch, begin
    last = lead or stretch
    for block in blocks:
        held = block if held is None else np.concatenate([held, block])
        while len(held) >= (last + context - begin) * hop:
            yield _window(held, hop, begin, first, last, context)
            first, last = last, last + stretch
            begin, held = _forget(held, hop, begin, first - context)
    if held is None:
        return
    total = begin - (-len(held) // hop)
    while first < total:
        yield _window(held, hop, begin, first, min(last, total), context)
        first, last = last, last + stretch
        begin, held = _forget(held, hop, begin, first - context)


class Stretch(NamedTuple):
    """A part of a signal, with some of what lies before and after it."""

    samples: np.ndarray
    first: int
    last: int
    """The part itself is `samples[first:last]`."""


def cut_at_pauses(
    blocks: Iterable[tuple[np.ndarray, np.ndarray]], shortest: int, margin: int, smooth: int = 9
) -> Iterator[Stretch]:
    """Cut a sequence, which comes in blocks of items `[n, ...]` and their power `[n]`, where it is quietest.

    Parts are `shortest` to twice as long (the last, or an only one, from nothing on) and come with `margin` items of
    their neighbours. Power is averaged over `smooth` items.
    """
    items: np.ndarray | None = None
    powers = np.zeros(0)
    before = 0  # the items held that belong to the part before
    for block, power in blocks:
        items = block if items is None else np.concatenate([items, block])
        powers = np.concatenate([powers, power])
        while len(items) - before >= 2 * shortest + margin:
            begin = before + shortest
            quiet = np.convolve(powers[begin : begin + shortest], np.ones(min(smooth, shortest)), "valid").argmin()
            last = begin + int(quiet) + min(smooth, shortest) // 2
            yield Stretch(items[: last + margin], before, last)
            forgotten = max(0, last - margin)
            items, powers, before = items[forgotten:], powers[forgotten:], last - forgotten
    if items is not None and len(items) > before:
        yield Stretch(items, before, len(items))


def _window(held: np.ndarray, hop: int, begin: int, first: int, last: int, context: int) -> Window:
    return Window(held[: (last + context - begin) * hop], slice(first - begin, last - begin))


def _forget(held: np.ndarray, hop: int, begin: int, needed: int) -> tuple[int, np.ndarray]:
    """What is held from the frame that is needed on, and that frame."""
    needed = max(begin, needed)
    return needed, held[(needed - begin) * hop :]
