"""Discrete bottlenecks behind one interface; `make_bottleneck` picks one by name."""

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized
from vqspeech.models.bottleneck.none import NoCodes
from vqspeech.models.bottleneck.vq import VectorQuantizer

BOTTLENECKS: dict[str, type[Bottleneck]] = {"vq": VectorQuantizer, "none": NoCodes}

__all__ = ["BOTTLENECKS", "Bottleneck", "Quantized", "make_bottleneck"]


def make_bottleneck(config: BottleneckConfig) -> Bottleneck:
    """The bottleneck that `config.name` names."""
    return BOTTLENECKS[config.name](config)
