"""ESTOI, extended short-time objective intelligibility (Jensen and Taal 2016): a copy against its source. Optional."""

import warnings
from collections.abc import Mapping

import numpy as np

from vqspeech.extras import require

PACKAGES = ("pystoi",)


def estoi(copy: np.ndarray, source: np.ndarray, sample_rate: int) -> Mapping[str, float] | None:
    """The correlation of spectra of `copy` [T] and `source` [T], at most 1; None for less than 0.4 s of speech.

    Raises NotInstalled without the package.
    """
    require(PACKAGES, "the extra audio-judges")
    from pystoi import stoi

    # pystoi adds noise from numpy's global generator, far under the signal but not under silence.
    state = np.random.get_state()
    np.random.seed(0)
    try:
        with warnings.catch_warnings(action="error", category=RuntimeWarning):
            return {"estoi": float(stoi(source, copy, sample_rate, extended=True))}
    except RuntimeWarning:  # "Not enough STFT frames"
        return None
    finally:
        np.random.set_state(state)
