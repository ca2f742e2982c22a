"""Sampling: ours against plain torch and other projects' packages, on one core and on all."""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from contest import Result, race
from conventional import CachedSampler, sample_with_full_receptive_field
from numba import njit

from vqspeech.config import DecoderConfig
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis.cpu import CpuSampler

SIZES = {
    "base, 20 layers x 64": {"layers": 20, "cycle": 10, "residual": 64, "skip": 128, "conditioning": 128},
    "30 layers x 128, skip 256, kernel 3": {
        "layers": 30, "cycle": 10, "residual": 128, "skip": 256, "conditioning": 128, "kernel": 3,
    },
    "paper, 30 layers x 256": {"layers": 30, "cycle": 10, "residual": 256, "skip": 256, "conditioning": 256},
}  # fmt: skip
RATE = 16000


def one_stream(decoder: WaveNet, name: str, rounds: int, vocoder: bool) -> list[Result]:
    """One stream on one core."""
    contestants = {
        "plain torch, whole receptive field": lambda: full(decoder, 4),
        "plain torch, cached": drawing(decoder, CachedSampler(decoder), 1, 4),
        "ours, float32": drawing(decoder, CpuSampler(decoder, 1, half=False, threads=1), 1, 64),
        "ours, bfloat16 weights": drawing(decoder, CpuSampler(decoder, 1, threads=1), 1, 128),
    }
    if vocoder and (work := wavenet_vocoder()):
        contestants["wavenet_vocoder 0.1.1, incremental_forward"] = work
    return race(f"sampling, one stream, one core: {name}", "samples/s", contestants, rounds)


def many_streams(decoder: WaveNet, name: str, rounds: int, threads: int) -> list[Result]:
    """Several streams on so many cores."""
    contestants = {
        f"{streams} streams": drawing(decoder, CpuSampler(decoder, streams, threads=threads), streams, 32)
        for streams in (threads, 4 * threads, 8 * threads, 16 * threads)
    }
    cores = f"{threads} core{'s' if threads > 1 else ''}"
    return race(f"sampling in all, bfloat16 weights, {cores}: {name}", "samples/s", contestants, rounds)


def drawing(decoder: WaveNet, sampler: CpuSampler | CachedSampler, streams: int, frames: int) -> Callable[[], float]:
    """Draw so many frames of so many streams, conditioning projected as in use."""
    conditioning = torch.randn(streams, decoder.config.conditioning, frames)
    uniform = torch.rand(frames * decoder.hop, streams, decoder.output.draws)

    @torch.no_grad()
    def work() -> float:
        sampler.draw(decoder.project(conditioning), uniform, 0.7)
        return uniform.shape[0] * streams

    return work


def full(decoder: WaveNet, samples: int) -> float:
    """The loop without a cache."""
    sample_with_full_receptive_field(decoder, torch.randn(1, decoder.config.conditioning, 256), samples)
    return samples


def wavenet_vocoder() -> Callable[[], float] | None:
    """The pip package's own incremental sampling at 30 layers, 3 stacks, 128 residual, 256 gate, 128 skip, kernel 3."""
    try:
        from wavenet_vocoder import WaveNet as Vocoder
    except ImportError:
        return None
    model = Vocoder(
        out_channels=256, layers=30, stacks=3, residual_channels=128, gate_channels=256, skip_out_channels=128,
        kernel_size=3, dropout=0, cin_channels=-1, gin_channels=-1, scalar_input=False,
    )  # fmt: skip
    model.make_generation_fast_()
    model.eval()

    @torch.no_grad()
    def work(samples: int = 100) -> float:
        # Its own draw insists on probabilities that sum to one more exactly than float32 does.
        model.incremental_forward(T=samples, quantize=False)
        return samples

    return work


def roof(decoder: WaveNet, reached: float, rounds: int) -> list[Result]:
    """What the core could do at most: its float32 products, and its bandwidth for weights of this size."""
    weights = sum(
        parameter.numel()
        for name, parameter in decoder.named_parameters()
        if not name.startswith(("past", "conditioning")) and "bias" not in name
    )
    a = torch.randn(1024, 1024)
    halves, words = np.ones(weights // 2, np.uint32), np.ones(weights, np.uint32)

    def products() -> float:
        for _ in range(4):
            a @ a
        return 4 * 1024**3 / weights

    def reading(array: np.ndarray) -> Callable[[], float]:
        def work() -> float:
            read(array, 200)
            return 200

        return work

    contestants = {
        "float32 products": products,
        "weights read, float32": reading(words),
        "weights read, bfloat16": reading(halves),
    }
    results = race(f"the core's roof at {weights:,} weights a sample", "samples/s", contestants, rounds)
    lowest = min(results[0].median, results[2].median)
    share = Result(
        results[0].contest, "ours, bfloat16 weights, one stream", "samples/s", reached, reached, reached,
        f"{100 * reached / lowest:.0f} % of the lower of products and bfloat16 reading",
    )  # fmt: skip
    return [*results, share]


@njit(fastmath=True)
def read(array: np.ndarray, times: int) -> int:
    """Read an array so many times; what is summed keeps the reads from being left out."""
    total = np.uint32(0)
    for round in range(times):
        for i in range(len(array)):
            total ^= array[i] + np.uint32(round)
    return total


def results(base: WaveNet, rounds: int) -> list[Result]:
    """All contests of sampling; `base` is the decoder of the model in use, the others have random weights."""
    torch.manual_seed(0)
    found: list[Result] = []
    for name, settings in itertools.islice(SIZES.items(), 1, None):
        decoder = WaveNet(DecoderConfig(**settings)).eval()
        found += one_stream(decoder, name, max(3, rounds // 2), vocoder="kernel 3" in name)
    single = one_stream(base, "base", rounds, vocoder=False)
    found = [*single, *found, *roof(base, single[-1].median, rounds), *many_streams(base, "base", rounds, 1)]
    return found
