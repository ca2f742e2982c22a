"""How many bits a code takes when the codes before it are known: what a prior is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from vqspeech.models.prior import Prior

if TYPE_CHECKING:
    from vqspeech.units.prior import Priors


@dataclass(frozen=True)
class PriorBits:
    """Bits per code of held-out sequences under each prior."""

    uniform: float
    histogram: float
    bigram: float
    autoregressive: float

    @classmethod
    def of(
        cls, priors: "Priors", train: Sequence[np.ndarray], held_out: Sequence[np.ndarray], speakers: Sequence[int]
    ) -> "PriorBits":
        """Measure all priors of a folder, and a bigram of the training sequences beside them."""
        codes = priors.autoregressive.codes
        return cls(
            uniform=math.log2(codes),
            histogram=bits_per_code(priors.histogram, held_out, speakers),
            bigram=bigram_bits(train, held_out, codes),
            autoregressive=bits_per_code(priors.autoregressive, held_out, speakers),
        )


@torch.no_grad()
def bits_per_code(prior: Prior, sequences: Sequence[np.ndarray], speakers: Sequence[int]) -> float:
    """Mean of -log2 p(code | codes before it) over `sequences`, `[N]` each; a speaker of -1 is not told."""
    device = next(iter(prior.state_dict().values())).device
    nats = 0.0
    for codes, speaker in zip(sequences, speakers, strict=True):
        told = None if speaker < 0 else torch.tensor([speaker], device=device)
        nats -= float(prior.log_prob(torch.from_numpy(codes).to(device).unsqueeze(0), told).sum(dtype=torch.float64))
    return nats / sum(map(len, sequences)) / math.log(2)


def bigram_bits(train: Sequence[np.ndarray], held_out: Sequence[np.ndarray], codes: int) -> float:
    """The same for pairs counted in `train`, smoothed by the unigram as Witten and Bell (1991, method C) do.

    `p(b | a) = (n(a b) + t(a) p(b)) / (n(a) + t(a))`, where t(a) is the number of different codes seen after a.
    """
    unigram = np.bincount(np.concatenate(train), minlength=codes) + 1.0
    unigram /= unigram.sum()
    pairs: dict[tuple[int, int], int] = {}
    after, kinds = np.zeros(codes), np.zeros(codes)
    for sequence in train:
        for pair in zip(sequence[:-1].tolist(), sequence[1:].tolist(), strict=True):
            kinds[pair[0]] += pair not in pairs
            after[pair[0]] += 1
            pairs[pair] = pairs.get(pair, 0) + 1
    bits = 0.0
    for sequence in held_out:
        bits -= math.log2(unigram[sequence[0]])
        for a, b in zip(sequence[:-1].tolist(), sequence[1:].tolist(), strict=True):
            total = after[a] + kinds[a]
            bits -= math.log2((pairs.get((a, b), 0) + kinds[a] * unigram[b]) / total if total else unigram[b])
    return bits / sum(map(len, held_out))
