"""Finite scalar quantisation: a few numbers a frame, each rounded to a few levels; no codebook that could collapse."""

from itertools import accumulate
from math import prod
from operator import mul

import torch
from torch import Tensor, nn

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized


class FiniteScalar(Bottleneck):
    """Rounding with a straight-through gradient (Mentzer et al. 2023, section 3.1).

    Number i of a frame is squashed to the range of its `levels[i]` whole numbers by a hyperbolic tangent and rounded;
    the code is the combination, the first number counting up fastest. `codes` of the config plays no part.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.codes = prod(config.levels)
        self.enter = nn.Conv1d(config.dim, len(config.levels), 1)
        self.leave = nn.Conv1d(len(config.levels), config.dim, 1)
        places = accumulate(config.levels[:-1], mul, initial=1)
        self.register_buffer("levels", torch.tensor(config.levels), persistent=False)
        self.register_buffer("places", torch.tensor(list(places)), persistent=False)

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`."""
        with torch.autocast(latents.device.type, enabled=False):
            bounded = self.bound(self.enter(latents.float()).transpose(1, 2))
            rounded = bounded.round()
            indices = ((rounded.long() + self.levels // 2) * self.places).sum(-1)
            through = bounded + (rounded - bounded).detach()
            distance = (rounded - bounded).detach().square().mean()
            return Quantized(self._leave(through), indices, metrics={"distance": distance})

    def bound(self, numbers: Tensor) -> Tensor:
        """Numbers `[..., levels]` squashed so that rounding gives `-(L // 2) .. (L - 1) // 2`."""
        # A little more than the range, so that the outermost levels are reached.
        half = (self.levels - 1) * 1.001 / 2
        offset = torch.where(self.levels % 2 == 0, 0.5, 0.0)
        return (numbers + (offset / half).atanh()).tanh() * half - offset

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> `[B, D, N]`."""
        rounded = indices.unsqueeze(-1) // self.places % self.levels - self.levels // 2
        return self._leave(rounded.float())

    def _leave(self, rounded: Tensor) -> Tensor:
        return self.leave((rounded / (self.levels // 2)).transpose(1, 2))
