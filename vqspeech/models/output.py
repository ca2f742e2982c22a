"""What the decoder predicts for each sample: a 256-way mu-law class or a mixture of logistics."""

import math
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import DecoderConfig

MU = 255


def mu_law_encode(waveform: Tensor) -> Tensor:
    """Compand samples in [-1, 1] to classes 0..255, int64 of the same shape (ITU-T G.711's curve)."""
    waveform = waveform.float().clamp(-1, 1)
    companded = waveform.sign() * torch.log1p(MU * waveform.abs()) / math.log1p(MU)
    return ((companded + 1) / 2 * MU + 0.5).long()


def mu_law_decode(classes: Tensor) -> Tensor:
    """Expand classes 0..255 to samples in [-1, 1], float32 of the same shape."""
    companded = classes.float() / MU * 2 - 1
    return companded.sign() * torch.expm1(companded.abs() * math.log1p(MU)) / MU


class Output(Protocol):
    """The distribution of one sample given `channels` numbers from the decoder."""

    channels: int
    draws: int
    """Uniform numbers that one sample takes."""

    def past_layer(self, width: int) -> nn.Module:
        """The layer that embeds past samples `[...]`, as `past` gives them, into `[..., width]`."""
        ...

    def past(self, waveform: Tensor) -> Tensor:
        """Past samples in the form that `past_layer` takes."""
        ...

    def negative_log_likelihood(self, parameters: Tensor, waveform: Tensor) -> Tensor:
        """Nats per sample, `[...]`, for parameters `[..., channels]` and samples `[...]`."""
        ...

    def sample(self, parameters: Tensor, temperature: float, uniform: Tensor) -> Tensor:
        """Turn uniform numbers `[..., draws]` in [0, 1) into samples `[...]` by parameters `[..., channels]`."""
        ...


class MuLaw:
    """256 classes after mu-law companding (Oord et al. 2016, section 2.2)."""

    channels = MU + 1
    draws = 1
    SPREAD = 4.0
    """Deviation of the fresh embedding's frequencies, in radians over half the scale."""

    def past_layer(self, width: int) -> nn.Module:
        """An embedding of the 256 classes: waves over the companded scale, so that neighbours look alike.

        A random one would leave it to training to find out which classes are close.
        """
        embedding = nn.Embedding(self.channels, width)
        scale = torch.tensor([[2 * i / MU - 1] for i in range(self.channels)])
        frequencies, phases = torch.randn(width).mul_(self.SPREAD), torch.rand(width).mul_(2 * math.pi)
        with torch.no_grad():
            waves = embedding.weight.copy_(scale.expand(-1, width)).mul_(frequencies).add_(phases).cos_()
            waves.mul_(math.sqrt(2))
        return embedding

    def past(self, waveform: Tensor) -> Tensor:
        """Classes, int64."""
        return mu_law_encode(waveform)

    def negative_log_likelihood(self, parameters: Tensor, waveform: Tensor) -> Tensor:
        """Cross-entropy of the sample's class, in nats."""
        classes = mu_law_encode(waveform)
        return _cross_entropy(parameters.reshape(-1, self.channels), classes.reshape(-1)).view(classes.shape)

    def sample(self, parameters: Tensor, temperature: float, uniform: Tensor) -> Tensor:
        """Draw a class from the softmax at this temperature; 0 takes the likeliest."""
        if temperature == 0:
            return mu_law_decode(parameters.argmax(-1))
        probabilities = torch.softmax(parameters.float() / temperature, dim=-1)
        return mu_law_decode(_draw(probabilities, uniform[..., 0]))


class Logistics:
    """Discretised mixture of logistics over 16-bit samples (Salimans et al. 2017, section 2.1)."""

    LEVELS = 2**16
    SMALLEST_LOG_SCALE = -9.0
    draws = 2

    def __init__(self, mixtures: int) -> None:
        self.channels = 3 * mixtures

    def past_layer(self, width: int) -> nn.Module:
        """A linear map of the sample's value."""
        return nn.Linear(1, width)

    def past(self, waveform: Tensor) -> Tensor:
        """The samples with a channel axis of one."""
        return waveform.float().unsqueeze(-1)

    def negative_log_likelihood(self, parameters: Tensor, waveform: Tensor) -> Tensor:
        """Minus the log probability of the 16-bit sample's bin, in nats."""
        weights, means, log_scales = self._split(parameters)
        samples = waveform.float().clamp(-1, 1).unsqueeze(-1)
        half_bin = 1 / (self.LEVELS - 1)
        inverse = torch.exp(-log_scales)
        upper = (samples - means + half_bin) * inverse
        lower = (samples - means - half_bin) * inverse
        inside = torch.sigmoid(upper) - torch.sigmoid(lower)
        # Far out in a tail the difference underflows: the density times the bin's width stands in.
        middle = (samples - means) * inverse
        density = middle - log_scales - 2 * functional.softplus(middle) + math.log(2 * half_bin)
        log_bin = torch.where(inside > 1e-5, torch.log(inside.clamp_min(1e-12)), density)
        # The outermost bins reach to infinity.
        log_bin = torch.where(samples < -1 + half_bin, functional.logsigmoid(upper), log_bin)
        log_bin = torch.where(samples > 1 - half_bin, functional.logsigmoid(-lower), log_bin)
        return -torch.logsumexp(functional.log_softmax(weights, dim=-1) + log_bin, dim=-1)

    def sample(self, parameters: Tensor, temperature: float, uniform: Tensor) -> Tensor:
        """Draw a component, then a sample; the temperature sharpens the first and scales the second."""
        weights, means, log_scales = self._split(parameters)
        if temperature == 0:
            component = weights.argmax(-1, keepdim=True)
            return means.gather(-1, component).squeeze(-1).clamp(-1, 1)
        component = _draw(torch.softmax(weights / temperature, dim=-1), uniform[..., 0]).unsqueeze(-1)
        mean = means.gather(-1, component).squeeze(-1)
        scale = log_scales.gather(-1, component).squeeze(-1).exp() * temperature
        return (mean + scale * torch.logit(uniform[..., 1], eps=1e-5)).clamp(-1, 1)

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, means, log_scales = parameters.float().chunk(3, dim=-1)
        return weights, means, log_scales.clamp_min(self.SMALLEST_LOG_SCALE)


def make_output(config: DecoderConfig) -> Output:
    """The output distribution that `config.output` names."""
    return MuLaw() if config.output == "mulaw" else Logistics(config.mixtures)


def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Nats `[N]` of the classes `[N]` by logits `[N, C]`."""
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.bfloat16) and len(logits):
        # numba takes half a second to import, and other devices do without it.
        from vqspeech.models.cross_entropy import CrossEntropy

        return CrossEntropy.apply(logits.contiguous(), classes)
    return functional.cross_entropy(logits.float(), classes, reduction="none")


def _draw(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Indices `[...]` by probabilities `[..., K]`: uniform numbers `[...]` through the inverse cumulative sum."""
    cumulative = probabilities.cumsum(-1)
    drawn = torch.searchsorted(cumulative, uniform.unsqueeze(-1) * cumulative[..., -1:], right=True)
    return drawn.squeeze(-1).clamp_max(probabilities.shape[-1] - 1)
