"""Discrete speech representations: a VQ-VAE on raw waveforms with a WaveNet decoder (van den Oord et al. 2017)."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.config import SamplerName

__version__ = "0.1.0"


def load(model: str | Path | None = None, device: str = "cpu", sampler: "SamplerName" = "auto") -> "Codec":
    """Load a trained model folder as a `Codec` with `encode`, `decode` and `convert`.

    Without `model` it is the folder that $VQSPEECH_MODEL names, else the model that comes with the package.
    `sampler`: `auto`, the fastest for the device; `cpu`, compiled, with weights of 16 bits; `cpu-float32`, which keeps
    them exact; `reference`, plain torch.
    Raises VqspeechError when there is no model, or the folder is missing, damaged or of another format version.

    Example:
        import vqspeech
        codec = vqspeech.load()
        codec.convert_file("a.wav", "p225", "a_p225.wav")
    """
    # torch takes about two seconds to import: `import vqspeech` itself stays light.
    from vqspeech.codec import Codec
    from vqspeech.lookup import find_model

    return Codec.load(find_model(model), device, sampler)
