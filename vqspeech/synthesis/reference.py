"""The plain sampler: each layer keeps its past in a queue, so a new sample costs one step and not a receptive field."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.models.wavenet import WaveNet


class StepDecoder:
    """A WaveNet that takes one sample at a time for B streams at once (Le Paine et al. 2016).

    Equal to `WaveNet.forward` up to rounding. Streams share every product with the weights, so many cost little more
    than one.
    """

    def __init__(self, decoder: WaveNet, streams: int) -> None:
        self.decoder = decoder
        kernel, width = decoder.config.kernel, decoder.config.residual
        # Tap j reads the input of j dilations ago: rows [taps, R] of one product with the current input last.
        self.dilated = decoder.dilated.flip(1).reshape(len(decoder.dilations), kernel * width, 2 * width)
        device = decoder.dilated.device
        self.queues = [
            torch.zeros((kernel - 1) * dilation, streams, width, device=device) for dilation in decoder.dilations
        ]
        self.width = width
        self.clock = 0

    def step(self, past: Tensor, gates: Tensor) -> Tensor:
        """The output's parameters `[B, channels]` for the next sample.

        `past`: the previous sample, as `Output.past` gives it for `[B]`; `gates [L, B, 2R]`: the current frame's.
        """
        decoder = self.decoder
        x = decoder.past(past)
        activations = []
        for i, (dilation, queue) in enumerate(zip(decoder.dilations, self.queues, strict=True)):
            oldest_first = [(self.clock + tap * dilation) % len(queue) for tap in range(decoder.config.kernel - 1)]
            taps = torch.cat([*(queue[slot] for slot in oldest_first), x], dim=1)
            queue[self.clock % len(queue)] = x
            z = torch.addmm(gates[i], taps, self.dilated[i])
            activation = z[:, : self.width].tanh() * z[:, self.width :].sigmoid()
            activations.append(activation)
            if i + 1 < len(decoder.dilations):
                x = x + torch.addmm(decoder.residual_bias[i], activation, decoder.residual[i])
        self.clock += 1
        return decoder.predict(torch.cat(activations, dim=1))


@torch.no_grad()
def sample(
    decoder: WaveNet,
    conditioning: Tensor,
    temperature: float = 1.0,
    generators: Sequence[torch.Generator] | None = None,
    heard: Callable[[int], None] | None = None,
) -> Tensor:
    """Draw waveforms `[B, N * hop]` in [-1, 1] for conditioning frames `[B, C, N]`, every stream from silence.

    `temperature` scales the logits before the draw; 0 takes the likeliest sample. Every stream draws from a generator
    of its own, one of `generators` (on the CPU) or else one seeded with 0, so that its waveform does not depend on the
    others. `heard(n)` is called after each of the N frames.
    """
    batch, _, frames = conditioning.shape
    generators = generators or [torch.Generator().manual_seed(0) for _ in range(batch)]
    stepper = StepDecoder(decoder, batch)
    waveform = conditioning.new_zeros(frames * decoder.hop, batch)
    previous = conditioning.new_zeros(batch)
    for frame in range(frames):
        # The gates of a whole hour would take gigabytes.
        gates = decoder.project(conditioning[:, :, frame : frame + 1])[:, 0]
        chances = [torch.rand(decoder.hop, decoder.output.draws, generator=generator) for generator in generators]
        uniform = torch.stack(chances, dim=1).to(conditioning.device)
        for t in range(decoder.hop):
            parameters = stepper.step(decoder.output.past(previous), gates)
            previous = decoder.output.sample(parameters, temperature, uniform[t])
            waveform[frame * decoder.hop + t] = previous
        if heard is not None:
            heard(frame + 1)
    return waveform.t().contiguous()


@torch.no_grad()
def teacher_forced(decoder: WaveNet, waveform: Tensor, conditioning: Tensor) -> Tensor:
    """The parameters `[B, T, channels]` that the step-by-step decoder gives on this waveform: the sampler's check."""
    gates = decoder.project(conditioning)
    stepper = StepDecoder(decoder, len(waveform))
    past = decoder.output.past(functional.pad(waveform[:, :-1], (1, 0)))
    steps = [stepper.step(past[:, t], gates[:, t // decoder.hop]) for t in range(waveform.shape[1])]
    return torch.stack(steps, dim=1)
