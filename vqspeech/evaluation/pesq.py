"""Wideband PESQ (ITU-T P.862.2; Rix et al. 2001): how good a copy sounds beside its source, 1.0 to 4.6. Optional.

A code is not made to keep the waveform, so a copy may sound well and yet score low: PESQ compares in time.
"""

from collections.abc import Mapping

import numpy as np

from vqspeech.extras import require

PACKAGES = ("pesq",)
SAMPLE_RATE = 16000


def wideband_pesq(copy: np.ndarray, source: np.ndarray, sample_rate: int) -> Mapping[str, float] | None:
    """The score of `copy` [T] against `source` [T]; None where either is too short or has no speech.

    Raises NotInstalled without the package.
    """
    require(PACKAGES, "the extra compiled-judges")
    import soxr
    from pesq import PesqError, pesq

    heard, said = (soxr.resample(one, sample_rate, SAMPLE_RATE) for one in (copy, source))
    # A silent copy gives NaN, what it refuses a negative number.
    score = pesq(SAMPLE_RATE, said, heard, "wb", on_error=PesqError.RETURN_VALUES)
    return {"pesq": float(score)} if score > 0 else None
