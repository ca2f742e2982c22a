"""The standard architecture as it is commonly written: what the benchmarks measure ours against.

Every function takes the weights of one of our decoders, so that both compute the same numbers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.models.wavenet import WaveNet


class ConventionalWaveNet(nn.Module):
    """Conv1d layers and conditioning upsampled to sample rate, with a one-by-one convolution of it in every layer."""

    def __init__(self, decoder: WaveNet) -> None:
        super().__init__()
        config = decoder.config
        width, layers = config.residual, len(decoder.dilations)
        self.hop, self.output, self.past = decoder.hop, decoder.output, decoder.past
        self.shared = nn.ModuleList([decoder.hidden, decoder.final])
        self.dilated = nn.ModuleList(
            nn.Conv1d(width, 2 * width, config.kernel, dilation=dilation, bias=False) for dilation in decoder.dilations
        )
        self.conditioning = nn.ModuleList(nn.Conv1d(config.conditioning, 2 * width, 1) for _ in range(layers))
        self.residual = nn.ModuleList(nn.Conv1d(width, width, 1) for _ in range(layers - 1))
        self.skip = nn.ModuleList(nn.Conv1d(width, config.skip, 1, bias=layer == 0) for layer in range(layers))
        self._copy(decoder)

    @torch.no_grad()
    def _copy(self, decoder: WaveNet) -> None:
        width, layers = decoder.config.residual, len(decoder.dilations)
        weight = decoder.conditioning.weight.view(layers, 2 * width, -1)
        bias = decoder.conditioning.bias.view(layers, 2 * width)
        skip = decoder.skip.weight.view(-1, layers, width)
        for i in range(layers):
            # Tap 0 of ours is the current sample; Conv1d's last tap is.
            self.dilated[i].weight.copy_(decoder.dilated[i].flip(0).permute(2, 1, 0))
            self.conditioning[i].weight.copy_(weight[i].unsqueeze(2))
            self.conditioning[i].bias.copy_(bias[i])
            self.skip[i].weight.copy_(skip[:, i].unsqueeze(2))
            if i + 1 < layers:
                self.residual[i].weight.copy_(decoder.residual[i].t().unsqueeze(2))
                self.residual[i].bias.copy_(decoder.residual_bias[i])
        self.skip[0].bias.copy_(decoder.skip.bias)

    def forward(self, waveform: Tensor, conditioning: Tensor) -> Tensor:
        """As `WaveNet.forward`."""
        x = self.past(self.output.past(functional.pad(waveform[:, :-1], (1, 0)))).transpose(1, 2)
        upsampled = conditioning.repeat_interleave(self.hop, dim=2)
        total: Tensor | None = None
        for i, (dilated, conditioned, skip) in enumerate(zip(self.dilated, self.conditioning, self.skip, strict=True)):
            padding = (dilated.kernel_size[0] - 1) * dilated.dilation[0]
            z = dilated(functional.pad(x, (padding, 0))) + conditioned(upsampled)
            tanh, gate = z.chunk(2, dim=1)
            activation = torch.tanh(tanh) * torch.sigmoid(gate)
            skipped = skip(activation)
            total = skipped if total is None else total + skipped
            if i < len(self.residual):
                x = x + self.residual[i](activation)
        hidden, final = self.shared
        return final(functional.relu(hidden(functional.relu(total).transpose(1, 2)).relu()))


@torch.no_grad()
def sample_with_full_receptive_field(decoder: WaveNet, conditioning: Tensor, samples: int) -> Tensor:
    """Draw `[1, samples]` with the whole receptive field computed again for every sample: sampling without a cache."""
    field, hop = decoder.receptive_field, decoder.hop
    # As a stream does after its first moments: the receptive field is full.
    waveform = torch.zeros(1, -(-field // hop) * hop)
    frames = conditioning[:, :, : waveform.shape[1] // hop]
    drawn = []
    for _ in range(samples):
        # The last place is the one to fill: a prediction looks at the samples before its own.
        waveform = functional.pad(waveform[:, 1:], (0, 1))
        parameters = decoder(waveform, frames)[:, -1]
        drawn.append(decoder.output.sample(parameters, 1.0, torch.rand(1, decoder.output.draws)))
        waveform[:, -1] = drawn[-1]
    return torch.stack(drawn, dim=1)


class CachedSampler:
    """The fastest plain torch that we know for one stream: every product on a vector, in place, on views made once.

    Row t of a layer's memory holds its inputs at t - (k-1)d .. t, so that a layer is one product for all taps; residual
    and skip are another.
    """

    def __init__(self, decoder: WaveNet) -> None:
        config = decoder.config
        self.decoder, width, taps = decoder, config.residual, config.kernel
        layers = len(decoder.dilations)
        # The oldest tap first, as the memory's rows have it.
        dilated = decoder.dilated.detach().flip(1).reshape(layers, taps * width, 2 * width)
        self.dilated = dilated.transpose(1, 2).contiguous()
        residual = functional.pad(decoder.residual.detach(), (0, 0, 0, 0, 0, 1)).transpose(1, 2)
        skip = decoder.skip.weight.detach().view(config.skip, layers, width).permute(1, 0, 2)
        self.onward = torch.cat([residual, skip], dim=1).contiguous()
        self.bias = functional.pad(decoder.residual_bias.detach(), (0, config.skip, 0, 1))
        self.state = torch.zeros(width + config.skip)
        self.x, self.skips = self.state[:width], self.state[width:]
        self.memories: list[tuple[list[Tensor], list[list[Tensor]]]] = []
        for dilation in decoder.dilations:
            length = (taps - 1) * dilation + 1
            memory = torch.zeros(length, taps * width)
            rows = list(memory)
            parts = [list(part) for part in memory.split(width, dim=1)]
            # Where the input at t is wanted: at once as the last part, one dilation later as the one before, and so on.
            places = [
                [part[(t + (taps - 1 - tap) * dilation) % length] for tap, part in enumerate(parts)]
                for t in range(length)
            ]
            self.memories.append((rows, places))
        self.previous = torch.zeros(1)
        self.clock = 0

    @torch.no_grad()
    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, 1, 2R]`, uniform `[n * hop, 1, draws]` -> samples `[n * hop]`."""
        output, drawn = self.decoder.output, []
        frames = [list(frame) for frame in gates[:, :, 0].transpose(0, 1)]
        for t, chances in enumerate(uniform):
            parameters = self._step(output.past(self.previous), frames[t // self.decoder.hop])
            self.previous = output.sample(parameters, temperature, chances)
            drawn.append(self.previous)
        return torch.cat(drawn)

    def _step(self, past: Tensor, gates: list[Tensor]) -> Tensor:
        """The output's parameters `[1, channels]`."""
        decoder, width = self.decoder, self.x.shape[0]
        self.x.copy_(decoder.past(past)[0])
        self.skips.copy_(decoder.skip.bias)
        for (rows, places), weight, gate, onward, bias in zip(
            self.memories, self.dilated, gates, self.onward, self.bias, strict=True
        ):
            slot = self.clock % len(rows)
            for place in places[slot]:
                place.copy_(self.x)
            z = torch.addmv(gate, weight, rows[slot])
            activation = z[:width].tanh_().mul_(z[width:].sigmoid_())
            self.state.add_(bias).addmv_(onward, activation)
        self.clock += 1
        return decoder.final(decoder.hidden(self.skips.relu().unsqueeze(0)).relu_())
