"""What every bottleneck takes and gives."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class Feedback:
    """What an estimator that has no gradient through its codes learns from the decoder's likelihoods."""

    weights: Tensor
    """`[M, B, N]`, how much each draw of a frame counts in the training of the decoder; sums to 1 over the draws."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Scalars in nats a frame to add to the training loss."""


@dataclass(frozen=True)
class Quantized:
    """The result of a bottleneck."""

    latents: Tensor
    """`[B, D, N]`, what the decoder sees; or `[M * B, D, N]`, all B sequences as drawn first, then as drawn next."""
    indices: Tensor
    """`[B, N]` int64 codes, or `[M * B, N]` likewise; zeros where the bottleneck is continuous."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to add to the training loss, already weighed."""
    metrics: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to log."""
    kl: Tensor | None = None
    """Mean divergence of the posterior from the prior in nats a frame, where it belongs to the loss."""
    feedback: Callable[[Tensor], Feedback] | None = None
    """Takes log p(the samples that a frame bears on | codes) `[M, B, N]`, for estimators that learn from it."""


class Bottleneck(nn.Module):
    """Base of all bottlenecks: latents `[B, D, N]` -> `Quantized`."""

    codes: int
    """K; 1 where no code says anything."""
    discrete: bool = True
    """Whether the indices say all that the decoder gets to know."""

    @property
    def ready(self) -> bool:
        """Whether the codes mean something yet; until then latents pass unquantised."""
        return True

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise in training (with gradients, losses and updates of the codes) or evaluation."""
        raise NotImplementedError

    def drawn(self, latents: Tensor, generator: Generator) -> Quantized:
        """As in evaluation, but a draw of the posterior where that is more than one point (generator on the CPU)."""
        return self(latents)

    def lookup(self, indices: Tensor) -> Tensor:
        """Latents `[B, D, N]` of the codes `[B, N]`."""
        raise NotImplementedError

    def start(self, latents: Tensor) -> None:
        """Place the codes by frames of the encoder `[M, D]`; nothing to do for most bottlenecks."""
