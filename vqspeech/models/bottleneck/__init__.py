"""The bottlenecks of the literature behind one interface; `make_bottleneck` picks one by name."""

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Feedback, Quantized
from vqspeech.models.bottleneck.continuous import Gaussian, Identity, NoCodes
from vqspeech.models.bottleneck.fsq import FiniteScalar
from vqspeech.models.bottleneck.gumbel import GumbelSoftmax
from vqspeech.models.bottleneck.nsvq import NoiseSubstitution
from vqspeech.models.bottleneck.rvq import ResidualQuantizer
from vqspeech.models.bottleneck.score_function import NVIL, VIMCO
from vqspeech.models.bottleneck.soft_em import SoftEM
from vqspeech.models.bottleneck.vq import VectorQuantizer

BOTTLENECKS: dict[str, type[Bottleneck]] = {
    "vq": VectorQuantizer,
    "nsvq": NoiseSubstitution,
    "soft_em": SoftEM,
    "gumbel": GumbelSoftmax,
    "nvil": NVIL,
    "vimco": VIMCO,
    "fsq": FiniteScalar,
    "rvq": ResidualQuantizer,
    "vae": Gaussian,
    "ae": Identity,
    "none": NoCodes,
}

__all__ = ["BOTTLENECKS", "Bottleneck", "Feedback", "Quantized", "make_bottleneck"]


def make_bottleneck(config: BottleneckConfig) -> Bottleneck:
    """The bottleneck that `config.name` names."""
    return BOTTLENECKS[config.name](config)
