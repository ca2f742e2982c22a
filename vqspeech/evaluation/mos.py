"""Naturalness as listeners would rate it, 1 to 5, by DistillMOS (Stahl and Gamper 2025). Optional.

Its weights are in the package, which is installed without its dependencies: those are for training it alone.
"""

import contextlib
import os
from collections.abc import Callable

import numpy as np

from vqspeech.evaluation.judges import SCRIPT
from vqspeech.extras import require

PACKAGES = ("distillmos", "xls-r-sqa", "torchaudio")
SAMPLE_RATE = 16000


def load_mos(sample_rate: int) -> Callable[[np.ndarray], float]:
    """The mean opinion score that a waveform [T] at `sample_rate` would have; NotInstalled without the judge."""
    require(PACKAGES, SCRIPT)
    import soxr
    import torch

    # It says on stdout where its weights are; results alone belong there.
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        from distillmos import ConvTransformerSQAModel

        model = ConvTransformerSQAModel().eval()

    def score(waveform: np.ndarray) -> float:
        audio = torch.from_numpy(soxr.resample(waveform, sample_rate, SAMPLE_RATE))
        with torch.inference_mode():
            return model(audio[None]).item()

    return score
