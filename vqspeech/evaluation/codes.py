"""How much of the codebook is used, and what the codes cost to send."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, around, draws
from vqspeech.units.tokens import merged


@dataclass(frozen=True)
class CodeUsage:
    """How some codes use a codebook of `codes` entries."""

    codes: int
    """Size of the codebook, K."""
    frames: int
    in_use: int
    """Codes that occur at least once."""
    entropy: float
    """Bits per code of the unigram distribution."""
    perplexity: float
    """2 to the entropy: so many codes, all equally likely, would have this entropy."""


@dataclass(frozen=True)
class Bitrates:
    """Bits per second of some code streams."""

    nominal: float
    """Of a fixed-length code: rate * log2 K."""
    entropy: float
    """Symbols per second times their entropy (ZeroSpeech)."""
    merged: float
    """The same with runs of one code merged into one symbol; how long each lasts is lost."""


def code_usage(indices: np.ndarray, codes: int) -> CodeUsage:
    """Measure the use of a codebook of size `codes` by `indices` (any shape, int).

    Perplexity is 2 to the entropy (Jelinek et al. 1977); 1.0 of no codes.
    """
    counts = np.bincount(np.ravel(indices), minlength=codes)
    bits = entropy(indices)
    return CodeUsage(codes, int(counts.sum()), int(np.count_nonzero(counts)), bits, 2.0**bits)


def entropy(indices: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Entropy in bits of the unigram distribution of `indices` (any shape, int), which count by their `weights`.

    0.0 of no codes.
    """
    counts = np.bincount(np.ravel(indices), weights)
    probabilities = counts[counts > 0] / max(1, counts.sum())
    return max(0.0, float(-(probabilities * np.log2(probabilities)).sum()))


def bitrates(streams: Sequence[np.ndarray], codes: int, rate: float) -> Bitrates:
    """Bits per second of `streams` ([N] int each) out of `codes` codes at `rate` a second.

    The number of symbols times their entropy over the duration (Dunbar et al. 2019, ZeroSpeech).
    """
    symbols = np.concatenate(streams)
    merged = np.concatenate([merge_runs(stream) for stream in streams])
    seconds = len(symbols) / rate
    return Bitrates(
        nominal=float(rate * np.log2(codes)),
        entropy=rate * entropy(symbols),
        merged=len(merged) * entropy(merged) / seconds,
    )


def entropy_interval(streams: Sequence[np.ndarray], codes: int) -> Interval:
    """The 95 % interval over utterances of the bits per code of `streams` ([N] int each) out of `codes` codes."""
    symbols, frames = np.concatenate(streams), [len(stream) for stream in streams]
    drawn = [entropy(symbols, np.repeat(times, frames)) for times in draws(len(streams))]
    return around(entropy(symbols), np.array(drawn), most=np.log2(codes))


def merged_interval(streams: Sequence[np.ndarray], rate: float) -> Interval:
    """The 95 % interval over utterances of the bits per second of `streams` with runs merged."""
    runs = [merge_runs(stream) for stream in streams]
    symbols, counts, frames = np.concatenate(runs), [len(run) for run in runs], [len(stream) for stream in streams]

    def bits_per_second(times: np.ndarray) -> float:
        return rate * (times @ counts) / (times @ frames) * entropy(symbols, np.repeat(times, counts))

    drawn = np.array([bits_per_second(times) for times in draws(len(streams))])
    return around(bits_per_second(np.ones(len(streams), int)), drawn)


def merge_runs(stream: np.ndarray) -> np.ndarray:
    """Keep one code of every run of equal codes in `stream` [N]."""
    return merged(stream).units
