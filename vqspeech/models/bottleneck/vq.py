"""Vector quantisation: the nearest of K codes, with a straight-through gradient."""

import dataclasses

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Quantized
from vqspeech.models.bottleneck.codebook import CodebookBottleneck


class VectorQuantizer(CodebookBottleneck):
    """Nearest code; the gradient skips the choice (Oord et al. 2017, section 3; EMA: appendix A.1).

    `z_q = e_k` with `k = argmin |z - e_k|`; `dL/dz = dL/dz_q`; the loss gains `beta |z - sg(e_k)|^2`, and codes follow
    their frames by moving averages or by `|sg(z) - e_k|^2`.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config, learnt=config.codebook == "loss")

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`; distances are taken in float32 whatever the autocast."""
        with torch.autocast(latents.device.type, enabled=False):
            quantized = self.quantise(self.frames(latents))
            return dataclasses.replace(quantized, latents=self.leave(quantized.latents))

    def quantise(self, frames: Tensor) -> Quantized:
        """Frames `[B, C, N]`, as `frames` gives them -> `Quantized` with latents of C values."""
        flat = frames.transpose(1, 2).reshape(-1, frames.shape[1])
        nearest = self.nearest(flat)
        indices = nearest.view(frames.shape[0], frames.shape[2])
        if not self.ready:
            return Quantized(frames, indices)
        quantised = self.chosen(indices)
        commitment, distance = self.commitment(frames, quantised)
        losses = {"commitment": commitment}
        if self.learnt:
            losses["codebook"] = functional.mse_loss(quantised, frames.detach())
        if self.training:
            self.update(flat.detach(), nearest)
        through = frames + (quantised - frames).detach()
        return Quantized(through, indices, losses, {"distance": distance})
