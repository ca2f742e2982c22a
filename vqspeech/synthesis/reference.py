"""The plain sampler: each layer keeps its past in a queue, so a new sample costs one step and not a receptive field."""

import torch
from torch import Tensor

from vqspeech.models.wavenet import WaveNet


class ReferenceSampler:
    """A WaveNet at work on B streams in plain torch, one sample at a time (Le Paine et al. 2016).

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
        self.previous = torch.zeros(streams, device=device)
        self.width = width
        self.clock = 0

    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, B, 2R]`, uniform `[n * hop, B, draws]` -> samples `[n * hop, B]`."""
        output, drawn = self.decoder.output, []
        for t, chances in enumerate(uniform.to(gates.device)):
            parameters = self._step(output.past(self.previous), gates[:, t // self.decoder.hop])
            self.previous = output.sample(parameters, temperature, chances)
            drawn.append(self.previous)
        return torch.stack(drawn)

    def predict(self, gates: Tensor, past: Tensor) -> Tensor:
        """The output's parameters `[n * hop, B, channels]` when the sample before each is given, `[n * hop, B]`."""
        steps = enumerate(self.decoder.output.past(past))
        return torch.stack([self._step(previous, gates[:, t // self.decoder.hop]) for t, previous in steps])

    def _step(self, past: Tensor, gates: Tensor) -> Tensor:
        """Past samples as `Output.past` gives them, `[B]`, and their frame's gates `[L, B, 2R]` -> `[B, channels]`."""
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
