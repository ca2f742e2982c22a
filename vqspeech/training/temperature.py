"""The sampling temperature that suits a model: the one whose copies of dev speech come nearest to it."""

import numpy as np
import torch

from vqspeech.data.dataset import Batch
from vqspeech.evaluation.nearest import distance, log_mel
from vqspeech.models.vqvae import VQVAE
from vqspeech.synthesis import sample

TEMPERATURES = (0.6, 0.7, 0.8, 0.9, 1.0)


@torch.no_grad()
def choose_temperature(model: VQVAE, speech: Batch, sample_rate: int) -> tuple[float, dict[float, float]]:
    """The best of `TEMPERATURES` for copies of this speech, and the mean log-mel distance in dB of each.

    A model that is sure enough of itself sounds cleaner below 1. One that has seen little falls silent there: in a
    pause the likeliest next sample is another of the pause, and voices never begin.
    """
    conditioning = model.conditioning(model.encode(speech.waveform).indices, speech.speaker)
    distances = {}
    for temperature in TEMPERATURES:
        generators = [torch.Generator().manual_seed(0) for _ in conditioning]
        copies = sample(model.decoder, conditioning, temperature, generators)
        pairs = zip(copies.numpy(), speech.waveform.numpy(), speech.length.tolist(), strict=True)
        distances[temperature] = float(
            np.mean([distance(*(log_mel(x[:length], sample_rate) for x in (copy, own))) for copy, own, length in pairs])
        )
    return min(distances, key=distances.__getitem__), distances
