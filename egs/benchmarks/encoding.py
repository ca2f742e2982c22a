"""Encoding whole corpora to units, and the quantiser's step, against other projects' packages."""

from collections.abc import Callable

import numpy as np
import torch
from contest import Result, race

from vqspeech.codec import Codec
from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.vq import VectorQuantizer

SECONDS = 60


def results(codec: Codec, rounds: int, cores: int) -> list[Result]:
    """Seconds of audio encoded in a second."""
    waveform = (0.1 * np.random.default_rng(0).standard_normal(SECONDS * codec.sample_rate)).astype(np.float32)

    def ours() -> float:
        codec.encode(waveform, level=False)
        return SECONDS

    contestants: dict[str, Callable[[], float]] = {"ours": ours}
    if work := encodec():
        contestants["encodec 24 kHz, encoder alone, random weights"] = work
    found = race(f"encoding, {cores} cores", "x real time", contestants, rounds)
    for codes in (512, 8192):
        found += quantising(codes, rounds)
    return found


def quantising(codes: int, rounds: int) -> list[Result]:
    """Training steps of the quantiser alone in a second, forward and backward, on 8 x 480 frames of 64 values."""
    config = BottleneckConfig(codes=codes, dim=64, start_steps=0)
    torch.manual_seed(0)
    latents = torch.randn(8, 64, 480, requires_grad=True)
    ours = VectorQuantizer(config).train()
    ours.start(torch.randn(2 * codes, 64))

    def step() -> float:
        result = ours(latents)
        (result.latents.square().mean() + result.losses["commitment"]).backward()
        return 1

    contestants: dict[str, Callable[[], float]] = {"ours": step}
    try:
        from vector_quantize_pytorch import VectorQuantize
    except ImportError:
        pass
    else:
        theirs = VectorQuantize(dim=64, codebook_size=codes, decay=config.ema_decay, threshold_ema_dead_code=1).train()

        def their_step() -> float:
            quantised, _, commitment = theirs(latents.transpose(1, 2))
            (quantised.square().mean() + commitment.sum()).backward()
            return 1

        contestants["vector-quantize-pytorch"] = their_step
    return race(f"quantiser, training step at K={codes}", "steps/s", contestants, rounds)


def encodec() -> Callable[[], float] | None:
    """The pip package's encoder; its speed does not depend on its weights."""
    try:
        from encodec import EncodecModel
    except ImportError:
        return None
    model = EncodecModel.encodec_model_24khz(pretrained=False).eval()
    audio = 0.1 * torch.randn(1, 1, 10 * model.sample_rate)

    @torch.no_grad()
    def work() -> float:
        model.encoder(audio)
        return 10.0

    return work
