"""Bits per sample: how well the decoder predicts held-out speech, with and without the right codes."""

import math
from typing import Literal

import torch
from torch import Tensor

from vqspeech.models.vqvae import VQVAE, within

Choice = Literal["true", "shuffled", "zeroed", "drawn"]
DRAW_SEED = 0


@torch.no_grad()
def bits_per_sample(
    model: VQVAE,
    waveforms: Tensor,
    speakers: Tensor,
    codes: Choice = "true",
    lengths: Tensor | None = None,
    batch_size: int = 8,
) -> float:
    """Mean of -log2 p(sample | past, codes, speaker) over waveforms `[B, T]` with speaker numbers `[B]`.

    `codes`: the waveform's own, another one's (the next in the batch: at least two utterances), or none (zeros instead
    of the codes' vectors). The better the true codes against the others, the more the decoder relies on them. Its own
    are the likeliest; `drawn` are drawn from the posterior, the same each time, as the bound has it.
    `lengths [B]` leaves out padding. Source: Oord et al. 2017, section 4.3 (the bound) and 4.1 (bits/dim).
    """
    generator = torch.Generator().manual_seed(DRAW_SEED) if codes == "drawn" else None
    latents = torch.cat([model.encode(part, generator).latents for part in waveforms.split(batch_size)])
    if codes == "shuffled":
        latents = latents.roll(1, dims=0)
    elif codes == "zeroed":
        latents = torch.zeros_like(latents)
    if lengths is None:
        lengths = torch.full((len(waveforms),), waveforms.shape[1], device=waveforms.device)
    nats = 0.0
    for start in range(0, len(waveforms), batch_size):
        part = slice(start, start + batch_size)
        nll = model.negative_log_likelihood(waveforms[part], latents[part], speakers[part])
        nats += float(nll[within(lengths[part], nll.shape[1])].double().sum())
    return nats / float(lengths.sum()) / math.log(2)
