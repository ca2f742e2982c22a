"""Noise substitution: in training, noise as large as the quantisation error takes its place."""

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Quantized
from vqspeech.models.bottleneck.codebook import CodebookBottleneck
from vqspeech.models.bottleneck.ranks import own_rows


class NoiseSubstitution(CodebookBottleneck):
    """Nearest code, learnt by gradient through the size of the error (Vali and Baeckstroem 2022, section III).

    `z_q = z + |z - e_k| v / |v|` with normal v in training, `e_k` otherwise. No loss but the decoder's is needed: it
    pulls frame and code towards each other wherever noise does harm. Unused codes are replaced as in `vq`.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config, learnt=True)

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`."""
        with torch.autocast(latents.device.type, enabled=False):
            frames = self.frames(latents)
            flat = frames.transpose(1, 2).reshape(-1, frames.shape[1])
            with torch.no_grad():
                nearest = self.nearest(flat)
            indices = nearest.view(frames.shape[0], frames.shape[2])
            if not self.ready:
                return Quantized(self.leave(frames), indices)
            quantised = self.chosen(indices)
            metrics = {"distance": functional.mse_loss(frames, quantised).detach()}
            if not self.training:
                return Quantized(self.leave(quantised), indices, metrics=metrics)
            normal = own_rows(lambda rows: torch.randn(rows, *frames.shape[1:], device=frames.device), len(frames))
            noise = functional.normalize(normal, dim=1)
            # The root has no slope at 0, where a frame lies on its code.
            error = (frames - quantised).square().sum(1, keepdim=True).clamp_min(1e-12).sqrt()
            self.update(flat.detach(), nearest)
            return Quantized(self.leave(frames + error * noise), indices, metrics=metrics)
