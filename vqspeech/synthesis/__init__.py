"""Autoregressive sampling of a trained WaveNet: one interface, and samplers behind it."""

from vqspeech.synthesis.sampler import sample, stream, teacher_forced

__all__ = ["sample", "stream", "teacher_forced"]
