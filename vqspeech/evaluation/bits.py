"""Bits per sample: how well the decoder predicts held-out speech, with and without the right codes."""

import math

import torch
from torch import Tensor

from vqspeech.models.vqvae import VQVAE, within

DRAW_SEED = 0


@torch.no_grad()
def bits(
    model: VQVAE, waveforms: Tensor, speakers: Tensor, latents: Tensor, lengths: Tensor, batch_size: int = 8
) -> Tensor:
    """-log2 p(samples | latents, speaker) of each of the waveforms `[B, T]` with speaker numbers `[B]`: `[B]`, float64.

    `latents [B, D, N]` are the codes' vectors; `lengths [B]` leaves out padding.
    Source: Oord et al. 2017, section 4.3 (the bound) and 4.1 (bits/dim).
    """
    nats = []
    for start in range(0, len(waveforms), batch_size):
        part = slice(start, start + batch_size)
        nll = model.negative_log_likelihood(waveforms[part], latents[part], speakers[part])
        nats.append((nll.double() * within(lengths[part], nll.shape[1])).sum(1))
    return torch.cat(nats) / math.log(2)


def choices(latents: Tensor) -> dict[str, Tensor]:
    """Latents `[B, D, N]` as they are, another waveform's (the next in the batch: at least two), and zeros instead.

    The better the true ones against the others, the more the decoder relies on the codes.
    """
    return {"true": latents, "shuffled": latents.roll(1, dims=0), "zeroed": torch.zeros_like(latents)}


def draw_generator() -> torch.Generator:
    """By which `VQVAE.encode` draws codes from the posterior, as the bound has it; the same ones each time."""
    return torch.Generator().manual_seed(DRAW_SEED)
