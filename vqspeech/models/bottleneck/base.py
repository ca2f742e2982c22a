"""What every bottleneck takes and gives."""

from dataclasses import dataclass, field

from torch import Tensor, nn


@dataclass(frozen=True)
class Quantized:
    """The result of a bottleneck."""

    latents: Tensor
    """`[B, D, N]`, what the decoder sees; gradients pass straight through to the encoder."""
    indices: Tensor
    """`[B, N]` int64 codes."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to add to the training loss, already weighed."""
    metrics: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to log."""


class Bottleneck(nn.Module):
    """Base of all bottlenecks: latents `[B, D, N]` -> `Quantized`."""

    codes: int

    @property
    def ready(self) -> bool:
        """Whether the codes mean something yet; until then latents pass unquantised."""
        return True

    def forward(self, latents: Tensor) -> Quantized:
        """Quantise in training (with gradients, losses and updates of the codes) or evaluation."""
        raise NotImplementedError

    def lookup(self, indices: Tensor) -> Tensor:
        """Latents `[B, D, N]` of the codes `[B, N]`."""
        raise NotImplementedError

    def start(self, latents: Tensor) -> None:
        """Place the codes by training frames `[M, D]`; nothing to do for most bottlenecks."""
