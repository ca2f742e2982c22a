"""The WaveNet's gates on a CPU, forward and backward in one pass over memory each, on all cores."""

import numpy as np
import torch
from numba import prange
from torch import Tensor

from vqspeech.vector import ONE, as_element, as_float32, compiled, exp, load, parallel, store

SMALL = 2**16
"""Elements below which waking other threads costs more than they save."""
TWO, LIMIT = np.float32(2), np.float32(15)


def gate(z: Tensor, conditioning: Tensor, gated: Tensor, column: int) -> None:
    """Add `conditioning [N, B, 2R]` to `z [T*B, 2R]`; z becomes tanh | sigmoid, columns of `gated` their product.

    That is R columns of `gated [T*B, ...]`, from `column` on. Contiguous bfloat16 or float32. Row `t * B + b` belongs
    to frame `t * N // T` of sequence b.
    """
    arrays = as_array(z), as_array(conditioning), as_array(gated), column
    if for_one_thread(z):
        for frame in range(len(conditioning)):
            _gate(*arrays, frame)
    else:
        _gate_on_all_cores(*arrays)


def gate_backward(grad: Tensor, column: int, gates: Tensor, grad_z: Tensor, grad_conditioning: Tensor) -> None:
    """From the product's gradient, columns of `grad`, and the `gates` left in z: those of z and of conditioning."""
    arrays = as_array(grad), column, as_array(gates), as_array(grad_z), as_array(grad_conditioning)
    if for_one_thread(grad_z):
        for frame in range(len(grad_conditioning)):
            _gate_backward(*arrays, frame)
    else:
        _gate_backward_on_all_cores(*arrays)


def for_one_thread(tensor: Tensor) -> bool:
    """Whether one thread does the work: there is little of it, or no other is allowed.

    numba starts as many threads as there are cores, and PyTorch has as many from then on, whatever it was told.
    """
    return tensor.numel() < SMALL or torch.get_num_threads() == 1


def as_array(tensor: Tensor) -> np.ndarray:
    """The memory of a float32 or bfloat16 tensor; numpy knows no bfloat16, so its bits."""
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


@compiled
def _gate(z: np.ndarray, conditioning: np.ndarray, gated: np.ndarray, column: int, frame: int) -> None:
    """`gate` for the rows of one frame."""
    batch, width = conditioning.shape[1], conditioning.shape[2] // 2
    rows = len(z) // len(conditioning)
    for row in range(frame * rows, (frame + 1) * rows):
        at, out_at = row * 2 * width, row * gated.shape[1] + column
        added_at = (frame * batch + row % batch) * 2 * width
        for j in range(width):
            x = as_float32(load(z, at + j)) + as_float32(load(conditioning, added_at + j))
            y = as_float32(load(z, at + width + j)) + as_float32(load(conditioning, added_at + width + j))
            a = exp(-TWO * min(max(x, -LIMIT), LIMIT))
            c = exp(-min(max(y, -TWO * LIMIT), TWO * LIMIT))
            # One division for both.
            both = ONE / ((ONE + a) * (ONE + c))
            tanh, sigmoid = (ONE - a) * (ONE + c) * both, (ONE + a) * both
            store(z, at + j, as_element(z, tanh))
            store(z, at + width + j, as_element(z, sigmoid))
            store(gated, out_at + j, as_element(gated, tanh * sigmoid))


@compiled
def _gate_backward(
    grad: np.ndarray, column: int, gates: np.ndarray, grad_z: np.ndarray, grad_conditioning: np.ndarray, frame: int
) -> None:
    """`gate_backward` for the rows of one frame."""
    batch, width = grad_conditioning.shape[1], gates.shape[1] // 2
    rows = len(gates) // len(grad_conditioning)
    sums = np.zeros(batch * 2 * width, np.float32)
    for row in range(frame * rows, (frame + 1) * rows):
        at, grad_at, sums_at = row * 2 * width, row * grad.shape[1] + column, row % batch * 2 * width
        for j in range(width):
            g, tanh = as_float32(load(grad, grad_at + j)), as_float32(load(gates, at + j))
            sigmoid = as_float32(load(gates, at + width + j))
            x = g * sigmoid * (ONE - tanh * tanh)
            y = g * tanh * sigmoid * (ONE - sigmoid)
            store(grad_z, at + j, as_element(grad_z, x))
            store(grad_z, at + width + j, as_element(grad_z, y))
            store(sums, sums_at + j, load(sums, sums_at + j) + x)
            store(sums, sums_at + width + j, load(sums, sums_at + width + j) + y)
    for j in range(batch * 2 * width):
        store(grad_conditioning, frame * batch * 2 * width + j, as_element(grad_conditioning, load(sums, j)))


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
