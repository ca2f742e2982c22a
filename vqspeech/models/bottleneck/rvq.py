"""Residual vector quantisation: each stage quantises what the stages before left over."""

import dataclasses

import torch
from torch import Tensor, nn

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized
from vqspeech.models.bottleneck.vq import VectorQuantizer


class ResidualQuantizer(Bottleneck):
    """A stack of `stages` vector quantisers of K codes each (Zeghidour et al. 2021, section III-C).

    A frame's code is the number whose digits to the base K are the stages' codes, the first stage's the highest, so
    that K^stages codes fit the same formats as those of other bottlenecks.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.base = config.codes
        self.codes = config.codes**config.stages
        self.first = VectorQuantizer(config)
        # What is left over is small: only the first stage brings frames to size.
        later = dataclasses.replace(config, normalise="none", code_dim=0, dim=config.code_dim or config.dim)
        self.later = nn.ModuleList(VectorQuantizer(later) for _ in range(config.stages - 1))

    @property
    def ready(self) -> bool:
        """Whether `start` has placed the codes."""
        return self.first.ready

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`; the losses are the stages' sums, the distance the last one's."""
        with torch.autocast(latents.device.type, enabled=False):
            frames = self.first.frames(latents)
            results = [self.first.quantise(frames)]
            if not self.ready:
                return dataclasses.replace(results[0], latents=self.first.leave(frames))
            left = frames - results[0].latents.detach()
            for stage in self.later:
                results.append(stage.quantise(left))
                left = left - results[-1].latents.detach()
            indices = results[0].indices
            for result in results[1:]:
                indices = indices * self.base + result.indices
            losses = {name: sum(result.losses[name] for result in results) for name in results[0].losses}
            return Quantized(self.first.leave(frames - left.detach()), indices, losses, results[-1].metrics)

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> `[B, D, N]`."""
        total = torch.zeros(())
        for stage in reversed(self.later):
            total = total + stage.chosen(indices % self.base)
            indices = indices // self.base
        return self.first.leave(total + self.first.chosen(indices))

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Place the codes stage by stage."""
        self.first.start(latents)
        frames = self.first.frames(latents.t().unsqueeze(0))
        left = frames - self.first.chosen(self.first.nearest(frames[0].t()).unsqueeze(0))
        for stage in self.later:
            stage.start(left[0].t())
            left = left - stage.chosen(stage.nearest(left[0].t()).unsqueeze(0))
