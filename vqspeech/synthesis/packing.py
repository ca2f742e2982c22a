"""A decoder's weights in the order in which the compiled sampler reads them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.models.output import MuLaw, mu_law_decode
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis.kernel import CHUNK, Matrix, Network, Streams
from vqspeech.synthesis.padded import pad_weights
from vqspeech.vector import PANEL, has_pair_products


@torch.no_grad()
def pack_network(decoder: WaveNet, half: bool) -> Network:
    """Weights in float32, or rounded to bfloat16 in pairs."""
    taps = decoder.config.kernel
    padded = pad_weights(decoder, _panels)
    width, skip = padded.skip.shape[1:]
    mu_law = isinstance(decoder.output, MuLaw)
    onward_bias = functional.pad(padded.residual_bias, (0, skip))
    # The skip path's bias is added once, with the first layer.
    onward_bias[0, width:] = padded.skip_bias
    values = mu_law_decode(torch.arange(decoder.output.channels)) if mu_law else torch.zeros(0)
    queues = np.cumsum([0, *((taps - 1) * dilation for dilation in decoder.dilations)])
    direct = half and has_pair_products()
    return Network(
        width=width,
        skip=skip,
        mixtures=0 if mu_law else decoder.output.channels // 3,
        room=width // 2 if direct else width,
        skip_room=skip // 2 if direct else skip,
        dilations=np.array(decoder.dilations),
        queues=queues,
        embedding=_flat(padded.embedding),
        past=_matrix(padded.dilated[:, 1:].flatten(0, 1), half),
        current=_matrix(padded.dilated[:, 0], half),
        onward=_matrix(torch.cat([padded.residual, padded.skip], dim=2), half),
        onward_bias=_flat(onward_bias),
        hidden=_matrix(padded.hidden.unsqueeze(0), half),
        hidden_bias=_flat(padded.hidden_bias),
        final=_matrix(padded.final.unsqueeze(0), half),
        final_bias=_flat(padded.final_bias),
        values=values.numpy(),
    )


def empty_streams(network: Network, count: int, start: float) -> Streams:
    """`count` streams before their first sample; `start` is the previous sample that they take for silence."""
    direct = network.room < network.width
    words = np.uint32 if direct else np.float32
    layers, total = len(network.dilations), network.width + network.skip
    return Streams(
        count=count,
        clock=np.zeros(1, np.int64),
        past=np.full(count, start, np.float32),
        queue=np.zeros(int(network.queues[-1]) * count * network.room, words),
        gates=np.zeros(layers * CHUNK * count * 2 * network.width, np.float32),
        state=np.zeros(count * total, np.float32),
        operand=np.zeros(count * max(network.room, network.skip_room), words),
        parameters=np.zeros(count * network.final.outputs, np.float32),
        scratch=np.zeros(max(network.width, network.skip, network.final.outputs), np.float32),
    )


def _panels(size: int) -> int:
    return -(-size // PANEL) * PANEL


def _matrix(matrices: Tensor, half: bool) -> Matrix:
    """`[n, inputs, outputs]` -> `[n, panels, words, PANEL]`, flat; a pair's second input is half of all inputs away."""
    count, inputs, outputs = matrices.shape
    if half:
        bits = matrices.bfloat16().contiguous().view(torch.int16).numpy().view(np.uint16).astype(np.uint32)
        words = bits[:, : inputs // 2] | bits[:, inputs // 2 :] << 16
    else:
        words = matrices.float().numpy()
    rows = words.shape[1]
    panels = words.reshape(count, rows, outputs // PANEL, PANEL).transpose(0, 2, 1, 3)
    return Matrix(_aligned(panels), outputs, rows, rows * outputs)


def _flat(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.float().numpy()).reshape(-1)


def _aligned(values: np.ndarray) -> np.ndarray:
    """A flat copy that starts at a cache line, so that no vector lies across two."""
    room = np.empty(values.size + 16, values.dtype)
    skip = -room.ctypes.data % 64 // room.itemsize
    flat = room[skip : skip + values.size]
    flat[:] = values.reshape(-1)
    return flat
