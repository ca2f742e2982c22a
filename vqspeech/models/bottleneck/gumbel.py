"""Gumbel-softmax: a relaxed draw of a code, with a gradient."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Quantized
from vqspeech.models.bottleneck.categorical import Categorical
from vqspeech.models.bottleneck.ranks import own_rows


class GumbelSoftmax(Categorical):
    """Straight-through Gumbel-softmax with falling temperature (Jang et al. 2017, section 2; Maddison et al. 2017).

    `y = softmax((log q + g) / tau)` with Gumbel noise g, minus the log of an exponential draw; the decoder sees the
    code of the largest y, the gradient goes through y.
    """

    steps: Tensor

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__(config)
        self.register_buffer("steps", torch.tensor(0))

    @property
    def temperature(self) -> float:
        """From `temperature` to `final_temperature`, by the same factor each step, in `anneal_steps` steps."""
        share = min(1.0, int(self.steps) / max(1, self.config.anneal_steps))
        first, last = math.log(self.config.temperature), math.log(self.config.final_temperature)
        return math.exp(first + share * (last - first))

    def draw(self, latents: Tensor, log_posterior: Tensor, kl: Tensor) -> Quantized:
        """As `Categorical.draw`; the temperature moves on by a step."""
        _, *frame = log_posterior.shape
        waits = own_rows(lambda rows: log_posterior.new_empty(rows, *frame).exponential_(), len(log_posterior))
        relaxed = functional.softmax((log_posterior - waits.log()) / self.temperature, dim=-1)
        indices = relaxed.argmax(-1)
        through = functional.one_hot(indices, self.codes) - relaxed.detach() + relaxed
        self.steps += 1
        return Quantized((through @ self.codebook).transpose(1, 2), indices, kl=kl)
