"""Score-function estimators: codes are drawn, and what they bring the decoder makes them more or less likely."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Feedback, Quantized
from vqspeech.models.bottleneck.categorical import Categorical
from vqspeech.models.bottleneck.ranks import draw_codes, mean_over_ranks


class ScoreFunction(Categorical):
    """Base of the estimators that draw M code sequences and learn from the likelihood of each frame's samples.

    The decoder works M times in a training step, so a step costs M times as much.
    """

    def draw(self, latents: Tensor, log_posterior: Tensor, kl: Tensor) -> Quantized:
        """As `Categorical.draw`, M * B sequences."""
        batch, frames, codes = log_posterior.shape
        # Where training has gone wrong the loss says so, not the draw.
        chances = log_posterior.detach().exp().nan_to_num(nan=1.0).view(-1, codes)
        drawn = draw_codes(chances, self.config.draws).t().reshape(-1, batch, frames)
        log_drawn = log_posterior.expand(len(drawn), -1, -1, -1).gather(3, drawn.unsqueeze(3)).squeeze(3)
        indices = drawn.flatten(0, 1)
        return Quantized(
            self.lookup(indices),
            indices,
            feedback=lambda log_likelihood: self.learn(latents, log_drawn, log_likelihood.detach(), kl),
        )

    def learn(self, latents: Tensor, log_drawn: Tensor, log_likelihood: Tensor, kl: Tensor) -> Feedback:
        """From latents `[B, D, N]`, log q of the draws and log p(x | draws), both `[M, B, N]`, and q's divergence."""
        raise NotImplementedError


class NVIL(ScoreFunction):
    """Neural variational inference and learning (Mnih and Gregor 2014, section 2.3).

    The gradient of `E_q[log p(x|k)]` is `E_q[(log p(x|k) - b(x)) d log q(k|x)]` with any baseline b. Here b is a
    running mean plus what a small network sees in the encoder's frame, in units of the running deviation. The whole
    signal, with the divergence from the prior, is divided by that deviation where it is above 1.
    """

    mean: Tensor
    deviation: Tensor

    DECAY = 0.99

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config)
        self.baseline = nn.Sequential(nn.Conv1d(config.dim, config.dim, 1), nn.ReLU(), nn.Conv1d(config.dim, 1, 1))
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("deviation", torch.tensor(0.0))

    def learn(self, latents: Tensor, log_drawn: Tensor, log_likelihood: Tensor, kl: Tensor) -> Feedback:
        """The score loss, the divergence and the baseline's own."""
        mean = mean_over_ranks(log_likelihood.mean())
        deviation = mean_over_ranks((log_likelihood - mean).square().mean()).sqrt()
        first = self.deviation == 0
        self.mean.copy_(torch.where(first, mean, torch.lerp(mean, self.mean, self.DECAY)))
        self.deviation.copy_(torch.where(first, deviation, torch.lerp(deviation, self.deviation, self.DECAY)))
        scale = self.deviation.clamp_min(1e-3)
        with torch.autocast(latents.device.type, enabled=False):
            expected = self.baseline(latents.detach().float()).squeeze(1)
        fit = functional.mse_loss(expected.expand_as(log_likelihood), (log_likelihood - self.mean) / scale)
        advantage = log_likelihood - self.mean - scale * expected.detach()
        share = 1 / scale.clamp_min(1)
        losses = {
            "score": -share * (advantage * log_drawn).mean(),
            "kl": share * self.config.kl * kl,
            "baseline": fit,
        }
        return Feedback(torch.full_like(log_likelihood, 1 / len(log_likelihood)), losses)


class VIMCO(ScoreFunction):
    """Variational inference for Monte-Carlo objectives (Mnih and Rezende 2016, section 2.5).

    Maximises `L = log 1/M sum_m f_m`, `f_m = p(x|k_m) p(k_m) / q(k_m|x)`, with the uniform prior. Each draw's learning
    signal is L less what L would be if its f were the geometric mean of the others'.
    """

    def learn(self, latents: Tensor, log_drawn: Tensor, log_likelihood: Tensor, kl: Tensor) -> Feedback:
        """The score loss and the gradient through f itself."""
        draws = len(log_likelihood)
        log_f = log_likelihood - math.log(self.codes) - log_drawn.detach()
        bound = log_f.logsumexp(0) - math.log(draws)
        others = (log_f.sum(0) - log_f) / (draws - 1)
        # Row m of the matrix: all log f, with the m-th replaced.
        without = torch.where(torch.eye(draws, device=log_f.device, dtype=torch.bool)[:, :, None, None], others, log_f)
        signal = bound - (without.logsumexp(1) - math.log(draws))
        weights = log_f.softmax(0)
        return Feedback(weights, {"score": -((signal - weights) * log_drawn).sum(0).mean()})
