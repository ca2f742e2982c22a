"""What all samplers share: waveforms drawn block by block from conditioning frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import SamplerName
from vqspeech.errors import UsageError
from vqspeech.models.wavenet import WaveNet
from vqspeech.parallel import on_one_core
from vqspeech.synthesis.reference import ReferenceSampler

FEW_STREAMS = 64
"""So many find a processor each on a GPU; the Triton kernel reads the weights for each of them."""
BLOCK = 16
"""Frames drawn by one call: enough to hide what a call costs, few enough to show progress and to be interrupted."""


class Sampler(Protocol):
    """A WaveNet at work on B streams, which it continues from call to call; R residual channels, L layers."""

    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, B, 2R]`, uniform `[n * hop, B, draws]` -> samples `[n * hop, B]`."""
        ...

    def predict(self, gates: Tensor, past: Tensor) -> Tensor:
        """The output's parameters `[n * hop, B, channels]` when the sample before each is given, `[n * hop, B]`."""
        ...


def make_sampler(decoder: WaveNet, streams: int, name: SamplerName = "auto") -> Sampler:
    """The sampler of that name for so many streams."""
    device = decoder.dilated.device.type
    if name == "auto":
        name = _fastest(device, streams)
    if not name.startswith(device) and name != "reference":
        raise UsageError(f"sampler {name} does not work on device {device}: take another, or auto")
    if name == "reference":
        return ReferenceSampler(decoder, streams)
    if device == "cuda":
        from vqspeech.synthesis.cuda import GraphSampler, TritonSampler

        return GraphSampler(decoder, streams) if name == "cuda-graph" else TritonSampler(decoder, streams)
    # numba takes half a second to import.
    from vqspeech.synthesis.cpu import CpuSampler

    return CpuSampler(decoder, streams, half=name == "cpu")


def _fastest(device: str, streams: int) -> SamplerName:
    if device == "cpu" and find_spec("numba"):
        return "cpu"
    if device == "cuda":
        return "cuda-triton" if streams <= FEW_STREAMS and find_spec("triton") else "cuda-graph"
    return "reference"


@torch.no_grad()
def stream(
    decoder: WaveNet,
    frames: Iterable[Tensor],
    temperature: float,
    generators: Sequence[torch.Generator],
    sampler: SamplerName = "auto",
) -> Iterator[Tensor]:
    """Draw waveforms `[B, n * hop]` in [-1, 1], block by block, for blocks of conditioning frames `[B, C, n]`.

    Every stream begins in silence and draws from a generator of its own (on the CPU), so that its waveform depends
    neither on the others nor on the blocks. `temperature` scales the logits before the draw; 0 takes the likeliest.
    """
    at_work = make_sampler(decoder, len(generators), sampler)
    for frame in frames:
        for block in frame.split(BLOCK, dim=2):
            size = (block.shape[2] * decoder.hop, decoder.output.draws)
            uniform = torch.stack([torch.rand(size, generator=generator) for generator in generators], dim=1)
            # The samplers of a CPU share streams among cores without changing a bit; a product of matrices does not.
            with on_one_core():
                gates = decoder.project(block)
            yield at_work.draw(gates, uniform, temperature).t()


def sample(
    decoder: WaveNet,
    conditioning: Tensor,
    temperature: float = 1.0,
    generators: Sequence[torch.Generator] | None = None,
    heard: Callable[[int], None] | None = None,
    sampler: SamplerName = "auto",
) -> Tensor:
    """Draw waveforms `[B, N * hop]` for conditioning frames `[B, C, N]`, as `stream` does.

    Without generators every stream gets one seeded with 0. `heard(n)` is called now and then with the frames done.
    """
    generators = generators or [torch.Generator().manual_seed(0) for _ in conditioning]
    # Room for all at once: small blocks, kept between the large ones that come and go, would scatter the memory.
    waveform = torch.empty(len(conditioning), conditioning.shape[2] * decoder.hop, device=conditioning.device)
    done = 0
    for block in stream(decoder, [conditioning], temperature, generators, sampler):
        waveform[:, done : done + block.shape[1]] = block
        done += block.shape[1]
        if heard is not None:
            heard(done // decoder.hop)
    return waveform


@torch.no_grad()
def teacher_forced(
    decoder: WaveNet, waveform: Tensor, conditioning: Tensor, sampler: SamplerName = "reference"
) -> Tensor:
    """The parameters `[B, T, channels]` that a sampler gives on this waveform: its check against `WaveNet.forward`."""
    past = functional.pad(waveform[:, :-1], (1, 0)).t()
    return make_sampler(decoder, len(waveform), sampler).predict(decoder.project(conditioning), past).transpose(0, 1)
