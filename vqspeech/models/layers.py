"""Layers that the encoder and the decoder's conditioning network share."""

from torch import Tensor, nn
from torch.nn import functional


class FrameNorm(nn.Module):
    """Layer normalisation over the channels of each frame of `[B, C, T]`, so that frames stay independent."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[B, C, T]`."""
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


class ResidualBlock(nn.Module):
    """Normalise, dilated convolution of kernel 3, GELU, pointwise convolution; added to the input `[B, C, T]`."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = FrameNorm(channels)
        self.dilated = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(channels, channels, 1)
        # The block starts as the identity.
        nn.init.zeros_(self.pointwise.weight)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, T]` -> `[B, C, T]`."""
        return x + self.pointwise(functional.gelu(self.dilated(self.norm(x))))
