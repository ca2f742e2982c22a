"""The WaveNet's gates on a CPU, forward and backward in one pass over memory each, on all cores."""

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor

from vqspeech.vector import ONE, as_element, as_float32, compiled, exp

parallel = njit(cache=True, parallel=True)

SMALL = 2**16
"""Elements below which waking other threads costs more than they save."""
TWO, LIMIT = np.float32(2), np.float32(15)


def gate(z: Tensor, conditioning: Tensor, gated: Tensor, column: int) -> None:
    """Add `conditioning [N, B, 2R]` to `z [T*B, 2R]`; z becomes tanh | sigmoid, R columns of `gated [T*B, ...]` their product.

    Contiguous bfloat16 or float32. Row `t * B + b` belongs to frame `t * N // T` of sequence b.
    """
    arrays = _array(z), _array(conditioning), _array(gated), column
    if z.numel() < SMALL:
        for frame in range(len(conditioning)):
            _gate(*arrays, frame)
    else:
        _gate_on_all_cores(*arrays)


def gate_backward(grad: Tensor, column: int, gates: Tensor, grad_z: Tensor, grad_conditioning: Tensor) -> None:
    """From the product's gradient, columns of `grad`, and `gates`, which `gate` left in z: those of z and conditioning."""
    arrays = _array(grad), column, _array(gates), _array(grad_z), _array(grad_conditioning)
    if grad_z.numel() < SMALL:
        for frame in range(len(grad_conditioning)):
            _gate_backward(*arrays, frame)
    else:
        _gate_backward_on_all_cores(*arrays)


def _array(tensor: Tensor) -> np.ndarray:
    """The tensor's memory; numpy knows no bfloat16."""
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


@compiled
def _gate(z: np.ndarray, conditioning: np.ndarray, gated: np.ndarray, column: int, frame: int) -> None:
    """`gate` for the rows of one frame."""
    batch, width = conditioning.shape[1], conditioning.shape[2] // 2
    rows = len(z) // len(conditioning)
    for row in range(frame * rows, (frame + 1) * rows):
        b = row % batch
        for j in range(width):
            x = as_float32(z[row, j]) + as_float32(conditioning[frame, b, j])
            y = as_float32(z[row, width + j]) + as_float32(conditioning[frame, b, width + j])
            a = exp(-TWO * min(max(x, -LIMIT), LIMIT))
            c = exp(-min(max(y, -TWO * LIMIT), TWO * LIMIT))
            tanh, sigmoid = (ONE - a) / (ONE + a), ONE / (ONE + c)
            z[row, j], z[row, width + j] = as_element(z, tanh), as_element(z, sigmoid)
            gated[row, column + j] = as_element(gated, tanh * sigmoid)


@compiled
def _gate_backward(
    grad: np.ndarray, column: int, gates: np.ndarray, grad_z: np.ndarray, grad_conditioning: np.ndarray, frame: int
) -> None:
    """`gate_backward` for the rows of one frame."""
    batch, width = grad_conditioning.shape[1], gates.shape[1] // 2
    rows = len(gates) // len(grad_conditioning)
    sums = np.zeros((batch, 2 * width), np.float32)
    for row in range(frame * rows, (frame + 1) * rows):
        b = row % batch
        for j in range(width):
            g, tanh = as_float32(grad[row, column + j]), as_float32(gates[row, j])
            sigmoid = as_float32(gates[row, width + j])
            x = g * sigmoid * (ONE - tanh * tanh)
            y = g * tanh * sigmoid * (ONE - sigmoid)
            grad_z[row, j], grad_z[row, width + j] = as_element(grad_z, x), as_element(grad_z, y)
            sums[b, j] += x
            sums[b, width + j] += y
    for b in range(batch):
        for j in range(2 * width):
            grad_conditioning[frame, b, j] = as_element(grad_conditioning, sums[b, j])


@parallel
def _gate_on_all_cores(z: np.ndarray, conditioning: np.ndarray, gated: np.ndarray, column: int) -> None:
    for frame in prange(len(conditioning)):
        _gate(z, conditioning, gated, column, frame)


@parallel
def _gate_backward_on_all_cores(
    grad: np.ndarray, column: int, gates: np.ndarray, grad_z: np.ndarray, grad_conditioning: np.ndarray
) -> None:
    for frame in prange(len(grad_conditioning)):
        _gate_backward(grad, column, gates, grad_z, grad_conditioning, frame)
