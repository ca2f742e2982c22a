"""Cross-entropy on a CPU: value and gradient in one pass over the logits, on all cores."""

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from vqspeech.models.gates import as_array, for_one_thread
from vqspeech.vector import LANES, ONE, as_element, as_float32, compiled, exp, load, parallel, store

BLOCK = 64
"""Rows that one thread takes at a time."""
VANISHED = np.float32(-80)


class CrossEntropy(torch.autograd.Function):
    """`logsumexp(logits) - logits[class]` for each row: logits `[N, C]`, classes `[N]` -> nats `[N]` float32.

    Logits are float32 or bfloat16 and contiguous, C a multiple of 16. The gradient, softmax less one at the class, is
    kept in the logits' type.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, classes: Tensor) -> Tensor:
        if classes.shape != logits.shape[:1] or not (classes.min() >= 0 and classes.max() < logits.shape[1]):
            raise ValueError(f"classes of shape {tuple(classes.shape)} do not fit logits {tuple(logits.shape)}")
        nats = torch.empty(len(logits))
        grad = torch.empty_like(logits)
        arrays = as_array(logits), classes.numpy(), nats.numpy(), as_array(grad)
        if for_one_thread(logits):
            _rows(*arrays, 0, len(logits))
        else:
            _on_all_cores(*arrays)
        ctx.save_for_backward(grad)
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_nats: Tensor) -> tuple[Tensor, None]:
        (grad,) = ctx.saved_tensors
        return grad * grad_nats.to(grad.dtype).unsqueeze(1), None


@compiled
def _rows(logits: np.ndarray, classes: np.ndarray, nats: np.ndarray, grad: np.ndarray, begin: int, end: int) -> None:
    """The rows from `begin` to `end`."""
    width = logits.shape[1]
    exps, lanes = np.empty(width, np.float32), np.empty(LANES, np.float32)
    for row in range(begin, end):
        at = row * width
        # Sixteen at a time, and only then among them: one running sum would have every addition wait for the last.
        for lane in range(LANES):
            store(lanes, lane, as_float32(load(logits, at + lane)))
        for j in range(LANES, width, LANES):
            for lane in range(LANES):
                store(lanes, lane, max(load(lanes, lane), as_float32(load(logits, at + j + lane))))
        top = lanes.max()
        for j in range(width):
            store(exps, j, exp(max(as_float32(load(logits, at + j)) - top, VANISHED)))
        for lane in range(LANES):
            store(lanes, lane, np.float32(0))
        for j in range(0, width, LANES):
            for lane in range(LANES):
                store(lanes, lane, load(lanes, lane) + load(exps, j + lane))
        total = lanes.sum()
        share = ONE / total
        for j in range(width):
            store(grad, at + j, as_element(grad, load(exps, j) * share))
        chosen = classes[row]
        nats[row] = np.log(total) + top - as_float32(load(logits, at + chosen))
        store(grad, at + chosen, as_element(grad, load(exps, chosen) * share - ONE))


@parallel
def _on_all_cores(logits: np.ndarray, classes: np.ndarray, nats: np.ndarray, grad: np.ndarray) -> None:
    for block in prange((len(logits) + BLOCK - 1) // BLOCK):
        _rows(logits, classes, nats, grad, block * BLOCK, min((block + 1) * BLOCK, len(logits)))
