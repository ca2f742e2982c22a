"""Bottlenecks without codes, which the discrete ones are compared with: Gaussian, none at all, and nothing passes."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized
from vqspeech.models.bottleneck.ranks import own_rows


class Continuous(Bottleneck):
    """Base of the bottlenecks whose latents no number of a code stands for."""

    discrete = False

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.codes = 1

    def no_codes(self, latents: Tensor) -> Tensor:
        """Zeros `[B, N]`."""
        return torch.zeros(latents.shape[0], latents.shape[2], dtype=torch.long, device=latents.device)

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> zeros `[B, D, N]`: nothing is known."""
        return torch.zeros(indices.shape[0], self.config.dim, indices.shape[1], device=indices.device)


class Gaussian(Continuous):
    """The variational auto-encoder's bottleneck (Kingma and Welling 2014; free bits: Kingma et al. 2016, appendix C.8).

    `z ~ N(mu, sigma^2)` in training, `mu` otherwise, so that a stretch gives what it gives within the whole. A frame
    costs `KL = sum_d (mu^2 + sigma^2 - 1 - log sigma^2) / 2` nats, of which each dimension has `free_nats` for nothing.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config)
        self.posterior = nn.Conv1d(config.dim, 2 * config.dim, 1)

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`."""
        mean, deviation, kl = self._posterior(latents)
        if not self.training:
            return Quantized(mean, self.no_codes(latents), kl=kl.sum())
        noise = own_rows(lambda rows: torch.randn(rows, *mean.shape[1:], device=mean.device), len(mean))
        drawn = mean + deviation * noise
        return Quantized(drawn, self.no_codes(latents), kl=kl.clamp_min(self.config.free_nats).sum())

    def drawn(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """As `Bottleneck.drawn`."""
        mean, deviation, kl = self._posterior(latents)
        noise = torch.randn(mean.shape, generator=generator).to(mean.device)
        return Quantized(mean + deviation * noise, self.no_codes(latents), kl=kl.sum())

    def _posterior(self, latents: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and deviation `[B, D, N]`, and the divergence `[D]` from the prior in nats a frame."""
        with torch.autocast(latents.device.type, enabled=False):
            mean, log_variance = self.posterior(latents.float()).chunk(2, dim=1)
            # exp of what a step gone wrong leaves would end the training.
            log_variance = log_variance.clamp(-20, 10)
            kl = ((mean.square() + log_variance.exp() - 1 - log_variance) / 2).mean((0, 2))
            return mean, (log_variance / 2).exp(), kl


class Identity(Continuous):
    """The auto-encoder: latents pass as they are, each frame normalised. No code can do better."""

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`."""
        if self.config.normalise != "none":
            latents = functional.layer_norm(latents.transpose(1, 2), latents.shape[1:2]).transpose(1, 2)
        return Quantized(latents, self.no_codes(latents))


class NoCodes(Continuous):
    """Every frame becomes zero: the decoder trained without codes, which every other bottleneck must beat."""

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> zeros of the same shape."""
        return Quantized(torch.zeros_like(latents), self.no_codes(latents))
