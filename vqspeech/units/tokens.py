"""Runs of a unit merged into one token that remembers how long it lasted, and back."""

from typing import NamedTuple

import numpy as np


class Tokens(NamedTuple):
    """One utterance."""

    units: np.ndarray
    """`[n]` int64."""
    durations: np.ndarray
    """`[n]` int64, frames that each lasts; all 1 where runs are kept."""


def kept(units: np.ndarray) -> Tokens:
    """Frame-synchronous units `[N]` as tokens, one a frame."""
    return Tokens(units, np.ones(len(units), np.int64))


def merged(units: np.ndarray) -> Tokens:
    """Frame-synchronous units `[N]` as tokens, one a run."""
    begins = np.flatnonzero(np.diff(units, prepend=-1))
    return Tokens(units[begins], np.diff(begins, append=len(units)))


def expanded(tokens: Tokens) -> np.ndarray:
    """The frame-synchronous units `[N]` that tokens stand for."""
    return np.repeat(tokens.units, tokens.durations)
