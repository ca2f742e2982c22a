"""The sampling temperature that suits a model: the one whose copies of dev speech come nearest to it."""

import numpy as np
import torch

from vqspeech.data.dataset import Batch
from vqspeech.evaluation.nearest import distance, log_mel
from vqspeech.models.vqvae import VQVAE
from vqspeech.synthesis import sample

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0)
AS_GOOD = 0.1
"""Decibels that make no difference: dull speech is never far off, so of temperatures as good the highest is taken."""


@torch.no_grad()
def choose_temperature(model: VQVAE, speech: Batch, sample_rate: int) -> tuple[float, dict[float, float]]:
    """The highest of `TEMPERATURES` as good as the best for copies of this speech; each one's log-mel distance in dB.

    A model that is sure enough of itself sounds cleaner below 1. One that has seen little falls silent there: in a
    pause the likeliest next sample is another of the pause, and voices never begin.
    """
    conditioning = model.conditioning(model.encode(speech.waveform).latents, speech.speaker)
    distances = {}
    for temperature in TEMPERATURES:
        generators = [torch.Generator().manual_seed(0) for _ in conditioning]
        copies = sample(model.decoder, conditioning, temperature, generators)
        pairs = zip(copies.numpy(), speech.waveform.numpy(), speech.length.tolist(), strict=True)
        distances[temperature] = float(
            np.mean([distance(*(log_mel(x[:length], sample_rate) for x in (copy, own))) for copy, own, length in pairs])
        )
    best = min(distances.values())
    return max(temperature for temperature in distances if distances[temperature] < best + AS_GOOD), distances
