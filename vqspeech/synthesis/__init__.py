"""Autoregressive sampling of a trained WaveNet."""

from vqspeech.synthesis.reference import sample

__all__ = ["sample"]
