"""Bits per sample: how well the decoder predicts held-out speech, with and without the right codes."""

import math

import torch
from torch import Tensor

from vqspeech.models.vqvae import VQVAE, Codes, within

DRAW_SEED = 0


@torch.no_grad()
def bits_per_sample(
    model: VQVAE,
    waveforms: Tensor,
    speakers: Tensor,
    latents: Tensor,
    lengths: Tensor | None = None,
    batch_size: int = 8,
) -> float:
    """Mean of -log2 p(sample | past, latents, speaker) over waveforms `[B, T]` with speaker numbers `[B]`.

    `latents [B, D, N]` are the codes' vectors. `lengths [B]` leaves out padding.
    Source: Oord et al. 2017, section 4.3 (the bound) and 4.1 (bits/dim).
    """
    if lengths is None:
        lengths = torch.full((len(waveforms),), waveforms.shape[1], device=waveforms.device)
    nats = 0.0
    for start in range(0, len(waveforms), batch_size):
        part = slice(start, start + batch_size)
        nll = model.negative_log_likelihood(waveforms[part], latents[part], speakers[part])
        nats += float(nll[within(lengths[part], nll.shape[1])].double().sum())
    return nats / float(lengths.sum()) / math.log(2)


def choices(latents: Tensor) -> dict[str, Tensor]:
    """Latents `[B, D, N]` as they are, another waveform's (the next in the batch: at least two), and zeros instead.

    The better the true ones against the others, the more the decoder relies on the codes.
    """
    return {"true": latents, "shuffled": latents.roll(1, dims=0), "zeroed": torch.zeros_like(latents)}


def drawn(model: VQVAE, waveforms: Tensor) -> Codes:
    """Codes of waveforms `[B, T]` drawn from the posterior, as the bound has it; the same each time."""
    return model.encode(waveforms, torch.Generator().manual_seed(DRAW_SEED))
