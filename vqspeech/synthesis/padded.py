"""A decoder's weights in the shapes that the compiled samplers take: inputs before outputs, widths rounded up."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.models.output import MuLaw
from vqspeech.models.wavenet import WaveNet


class Padded(NamedTuple):
    """Weights of L layers, with widths R (residual), S (skip) and C (output's channels); zeros where none were."""

    embedding: Tensor
    """Past sample to residual channels: `[256, R]` for mu-law; weight and bias `[2, R]` otherwise."""
    dilated: Tensor
    """`[L, taps, R, 2R]`, the current input's first."""
    residual: Tensor
    """`[L, R, R]`; of the last layer zeros."""
    residual_bias: Tensor
    """`[L, R]`"""
    skip: Tensor
    """`[L, R, S]`"""
    skip_bias: Tensor
    """`[S]`"""
    hidden: Tensor
    """`[S, S]`"""
    hidden_bias: Tensor
    """`[S]`"""
    final: Tensor
    """`[S, C]`"""
    final_bias: Tensor
    """`[C]`"""


@torch.no_grad()
def pad_weights(decoder: WaveNet, round_up: Callable[[int], int]) -> Padded:
    """The weights in float32, each width as `round_up` makes it."""
    config, pad = decoder.config, functional.pad
    layers, width, channels = len(decoder.dilations), config.residual, decoder.output.channels
    widen, more, beyond = (round_up(size) - size for size in (width, config.skip, channels))
    mu_law = isinstance(decoder.output, MuLaw)
    embedding = decoder.past.weight if mu_law else torch.stack([decoder.past.weight[:, 0], decoder.past.bias])
    # The halves of the gates are widened each.
    dilated = decoder.dilated.view(layers, config.kernel, width, 2, width)
    padded = Padded(
        embedding=pad(embedding, (0, widen)),
        dilated=pad(dilated, (0, widen, 0, 0, 0, widen)).flatten(3),
        residual=pad(decoder.residual, (0, widen, 0, widen, 0, 1)),
        residual_bias=pad(decoder.residual_bias, (0, widen, 0, 1)),
        skip=pad(decoder.skip.weight.view(config.skip, layers, width).permute(1, 2, 0), (0, more, 0, widen)),
        skip_bias=pad(decoder.skip.bias, (0, more)),
        hidden=pad(decoder.hidden.weight.t(), (0, more, 0, more)),
        hidden_bias=pad(decoder.hidden.bias, (0, more)),
        final=pad(decoder.final.weight.t(), (0, beyond, 0, more)),
        final_bias=pad(decoder.final.bias, (0, beyond)),
    )
    return Padded(*(weight.float().contiguous() for weight in padded))
