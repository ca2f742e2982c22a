"""No information at all: the decoder trained without codes, which every other bottleneck must beat."""

import torch
from torch import Tensor

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized


class NoCodes(Bottleneck):
    """Every frame becomes zero."""

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.codes, self.dim = 1, config.dim

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> zeros of the same shape."""
        indices = torch.zeros(latents.shape[0], latents.shape[2], dtype=torch.long, device=latents.device)
        return Quantized(torch.zeros_like(latents), indices)

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> zeros `[B, D, N]`."""
        return torch.zeros(indices.shape[0], self.dim, indices.shape[1], device=indices.device)
