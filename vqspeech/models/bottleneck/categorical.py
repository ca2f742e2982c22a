"""A distribution over codes for each frame: what the relaxed and the score-function estimators have in common."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized


class Categorical(Bottleneck):
    """Base of the bottlenecks with a posterior q(k | x) = softmax(W z): codes have vectors of their own.

    The likeliest code is taken outside of training, though the bound is about draws. With the uniform prior the bound
    of van den Oord et al. 2017 (section 3.1) costs `KL = log K - H(q)` nats a frame.
    """

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.codes = config.codes
        self.posterior = nn.Conv1d(config.dim, config.codes, 1)
        self.codebook = nn.Parameter(torch.randn(config.codes, config.dim))

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`: what `draw` makes of them in training, otherwise the likeliest codes."""
        log_posterior = self.log_posterior(latents)
        kl = self.kl(log_posterior)
        if self.training:
            return self.draw(latents, log_posterior, kl)
        indices = log_posterior.argmax(-1)
        chosen = self.lookup(indices)
        expected = (log_posterior.exp() @ self.codebook).transpose(1, 2)
        return Quantized(chosen, indices, kl=kl, metrics={"distance": functional.mse_loss(expected, chosen)})

    def drawn(self, latents: Tensor, generator: torch.Generator) -> Quantized:
        """As `Bottleneck.drawn`."""
        log_posterior = self.log_posterior(latents)
        # Where training has gone wrong the loss says so, not the draw.
        chances = log_posterior.exp().nan_to_num(nan=1.0).flatten(0, 1).cpu()
        drawn = torch.multinomial(chances, 1, generator=generator)
        indices = drawn.view(log_posterior.shape[:2]).to(latents.device)
        return Quantized(self.lookup(indices), indices, kl=self.kl(log_posterior))

    def draw(self, latents: Tensor, log_posterior: Tensor, kl: Tensor) -> Quantized:
        """Codes for training from latents `[B, D, N]`, log q `[B, N, K]` and its divergence from the prior."""
        raise NotImplementedError

    def log_posterior(self, latents: Tensor) -> Tensor:
        """`[B, D, N]` -> log q `[B, N, K]`, in float32."""
        with torch.autocast(latents.device.type, enabled=False):
            return functional.log_softmax(self.posterior(latents.float()).transpose(1, 2), dim=-1)

    def kl(self, log_posterior: Tensor) -> Tensor:
        """Mean divergence from the uniform prior, in nats a frame."""
        return math.log(self.codes) + (log_posterior.exp() * log_posterior).sum(-1).mean()

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> `[B, D, N]`."""
        return functional.embedding(indices, self.codebook).transpose(1, 2)
