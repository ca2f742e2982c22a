"""Phones as a second task: a head that names each frame's phone from its code, so that codes tell phones apart."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.data.dataset import Batch
from vqspeech.data.phones import UNKNOWN
from vqspeech.models.vqvae import VQVAE


class PhoneHead(nn.Module):
    """A linear classifier of phones on the codes' vectors, after the supervised units of Du et al. 2024 (section 2.1).

    It is there in training alone. Its gradient passes through the codes to the encoder as the decoder's does.
    """

    def __init__(self, dim: int, phones: int) -> None:
        super().__init__()
        self.final = nn.Conv1d(dim, phones, 1)

    def forward(self, latents: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Latents `[B, D, N]`, classes `[B, N]` -> cross-entropy in nats and share named right of known frames."""
        logits = self.final(latents).float()
        known = classes != UNKNOWN
        count = known.sum().clamp_min(1)
        nats = functional.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="sum") / count
        right = ((logits.argmax(1) == classes) & known).sum() / count
        return nats, right


class PhoneLosses(nn.Module):
    """Encoder and bottleneck that learn phones alone, before a decoder learns to speak their codes."""

    def __init__(self, model: VQVAE, phones: int) -> None:
        super().__init__()
        self.model = model
        self.phones = PhoneHead(model.config.bottleneck.dim, phones)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The training loss in nats a frame, its parts, and what is worth logging."""
        quantized = self.model.bottleneck(self.model.encoder(batch.heard))
        nats, right = self.phones(quantized.latents, batch.phones)
        losses = {"phones": nats, **quantized.losses}
        return {"loss": torch.stack(list(losses.values())).sum(), **losses, **quantized.metrics, "phones_right": right}
