"""Encoding whole corpora to units, and the quantiser's step, against other projects' packages."""

from collections.abc import Callable

import numpy as np
import torch
from contest import Result, race

from vqspeech.codec import Codec

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
    return race(f"encoding, {cores} cores", "x real time", contestants, rounds)


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
