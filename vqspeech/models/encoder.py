"""Waveform to frames: strided convolutions, then residual blocks at frame rate."""

from math import prod

from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import EncoderConfig
from vqspeech.models.layers import FrameNorm, ResidualBlock


class StridedConv(nn.Module):
    """Convolution of stride s and kernel 2s that turns `s * N` samples into exactly N.

    The padding is s // 2 zeros on the left and s - s // 2 on the right, so an odd stride pads one more on the right.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.padding = (stride // 2, stride - stride // 2)
        self.conv = nn.Conv1d(inputs, outputs, 2 * stride, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, s * N]` -> `[B, outputs, N]`."""
        return self.conv(functional.pad(x, self.padding))


class Encoder(nn.Module):
    """Encode `T` samples into `ceil(T / hop)` frames of `dim` values (Oord et al. 2017, section 4.3).

    Samples are companded by a sign-preserving square root first, which evens out loud and soft sounds. A length that
    is no multiple of the hop is padded with zeros on the right. Nothing is normalised over time, so a stretch of the
    signal with enough context on both sides gets the frames it gets within the whole.
    """

    GAIN = 4.0

    def __init__(self, config: EncoderConfig, dim: int) -> None:
        super().__init__()
        self.hop = prod(config.strides)
        self.context = 1 + sum(config.dilations)
        """Frames on either side that bear on a frame: one for the strided convolutions, the rest for the blocks."""
        # Half the rate, twice the channels, until there are enough: at equal widths the first two would take most time.
        widths = [1, *(max(1, config.channels >> max(0, 2 - i)) for i in range(len(config.strides)))]
        layers: list[nn.Module] = []
        for inputs, outputs, stride in zip(widths, widths[1:], config.strides, strict=False):
            layers += [StridedConv(inputs, outputs, stride), nn.GELU()]
        self.strided = nn.Sequential(*layers)
        self.widen = nn.Conv1d(widths[-1], config.hidden, 1)
        self.blocks = nn.Sequential(*(ResidualBlock(config.hidden, d) for d in config.dilations))
        self.project = nn.Sequential(FrameNorm(config.hidden), nn.Conv1d(config.hidden, dim, 1))
        # PyTorch's own start lets the signal fade under the biases, layer by layer: all frames would look alike.
        for module in (*self.strided.modules(), self.widen):
            if isinstance(module, nn.Conv1d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, waveform: Tensor) -> Tensor:
        """`[B, T]` in [-1, 1] -> `[B, dim, ceil(T / hop)]`."""
        waveform = functional.pad(waveform, (0, -waveform.shape[-1] % self.hop))
        companded = waveform.sign() * waveform.abs().sqrt() * self.GAIN
        return self.project(self.blocks(self.widen(self.strided(companded.unsqueeze(1)))))
