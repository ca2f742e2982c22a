"""Soft EM: each frame draws several codes by their closeness, and the decoder sees their mean."""

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Quantized
from vqspeech.models.bottleneck.codebook import CodebookBottleneck
from vqspeech.models.bottleneck.ranks import draw_codes


class SoftEM(CodebookBottleneck):
    """Monte-Carlo expectation maximisation over m draws a frame (Roy et al. 2018, section 3.2).

    `k_1 .. k_m ~ softmax(-|z - e|^2)`; `z_q = mean_j e_{k_j}` with a straight-through gradient; each draw moves its
    code by the share 1/m in the moving averages. Outside of training the nearest code is taken.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config)

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`; indices are those of the nearest codes."""
        with torch.autocast(latents.device.type, enabled=False):
            frames = self.frames(latents)
            flat = frames.transpose(1, 2).reshape(-1, frames.shape[1])
            with torch.no_grad():
                scores = self.scores(flat)
            indices = scores.argmin(1).view(frames.shape[0], frames.shape[2])
            if not self.ready:
                return Quantized(self.leave(frames), indices)
            if self.training:
                drawn = draw_codes(functional.softmax(-scores, 1).nan_to_num(nan=1.0), self.config.draws)
                mean = functional.embedding(drawn, self.vectors).mean(1)
                quantised = mean.view(frames.shape[0], frames.shape[2], -1).transpose(1, 2)
                self.update(flat.detach(), drawn)
            else:
                quantised = self.chosen(indices)
            commitment, distance = self.commitment(frames, quantised)
            through = frames + (quantised - frames).detach()
            return Quantized(self.leave(through), indices, {"commitment": commitment}, {"distance": distance})
