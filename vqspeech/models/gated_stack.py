"""The heart of the WaveNet as one differentiable operation: all gated dilated layers, forward and backward by hand.

Activations are time-major rows `[T * B, C]`, row `t * B + b`: a shift by d samples is a shift by `d * B` rows, so each
tap of a dilated convolution is one matrix product on a view, with no padding, copying or concatenation.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class GatedStack(torch.autograd.Function):
    """`x <- x + R_l(tanh(a) * sigmoid(b))` with `(a, b) = D_l(x) + conditioning`, for every layer l.

    Inputs: `x [T*B, R]`; `conditioning [L, N, B, 2R]`, each frame held for `T / N` samples; `dilated [L, k, R, 2R]`,
    tap 0 on the current sample; `residual [L-1, R, R]`, `residual_bias [L-1, R]` (the last layer feeds only the skip
    path); dilations. Output: the gated activations of all layers `[T*B, L*R]`, for the skip path.
    Source: Oord et al. 2016, sections 2.3 to 2.5.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        conditioning: Tensor,
        dilated: Tensor,
        residual: Tensor,
        residual_bias: Tensor,
        dilations: tuple[int, ...],
    ) -> Tensor:
        layers, frames, batch, _ = conditioning.shape
        rows, width = x.shape
        dtype = x.dtype
        conditioning, dilated, residual = conditioning.to(dtype).contiguous(), dilated.to(dtype), residual.to(dtype)
        residual_bias = residual_bias.to(dtype)
        gated = x.new_empty(rows, layers * width)
        inputs, gates = [], []
        gate, _ = _gates(x)
        for i, dilation in enumerate(dilations):
            z = x @ dilated[i, 0]
            for tap, weight in enumerate(dilated[i, 1:], start=1):
                shift = min(tap * dilation * batch, rows)
                z[shift:].addmm_(x[: rows - shift], weight)
            activation = gated[:, i * width : (i + 1) * width]
            gate(z, conditioning[i], gated, i * width)
            if any(ctx.needs_input_grad):
                inputs.append(x)
                gates.append(z)
            if i + 1 < layers:
                x = torch.addmm(residual_bias[i], activation, residual[i]).add_(x)
        ctx.save_for_backward(dilated, residual, gated, *inputs, *gates)
        ctx.dilations, ctx.shape = dilations, (layers, frames, batch, width)
        return gated

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_gated: Tensor) -> tuple[Tensor | None, ...]:
        dilated, residual, gated, *saved = ctx.saved_tensors
        layers, frames, batch, width = ctx.shape
        inputs, gates = saved[:layers], saved[layers:]
        rows = gated.shape[0]
        grad_conditioning = gated.new_empty(layers, frames, batch, 2 * width)
        grad_dilated, grad_residual = torch.empty_like(dilated), torch.empty_like(residual)
        grad_bias = gated.new_empty(layers - 1, width)
        grad_gated, grad_x = grad_gated.contiguous(), torch.zeros_like(inputs[0])
        _, gate_backward = _gates(gated)
        for i in reversed(range(layers)):
            span = slice(i * width, (i + 1) * width)
            grad, column = grad_gated, i * width
            if i + 1 < layers:
                torch.mm(gated[:, span].t(), grad_x, out=grad_residual[i])
                torch.sum(grad_x, 0, out=grad_bias[i])
                grad, column = torch.addmm(grad[:, span], grad_x, residual[i].t()), 0
            grad_z = gated.new_empty(rows, 2 * width)
            gate_backward(grad, column, gates[i], grad_z, grad_conditioning[i])
            for tap, weight in enumerate(dilated[i]):
                shift = min(tap * ctx.dilations[i] * batch, rows)
                torch.mm(inputs[i][: rows - shift].t(), grad_z[shift:], out=grad_dilated[i, tap])
                grad_x[: rows - shift].addmm_(grad_z[shift:], weight.t())
        return grad_x, grad_conditioning, grad_dilated, grad_residual, grad_bias, None


def _gates(like: Tensor) -> tuple[Callable[..., None], Callable[..., None]]:
    """The gates' forward and backward pass for tensors of this device and type."""
    if like.device.type == "cpu" and like.dtype in (torch.bfloat16, torch.float32):
        # numba takes half a second to import, and other devices do without it.
        from vqspeech.models import gates

        return gates.gate, gates.gate_backward
    return _plain_gate, _plain_gate_backward


def _plain_gate(z: Tensor, conditioning: Tensor, gated: Tensor, column: int) -> None:
    """As `gates.gate`, in plain torch."""
    width = z.shape[1] // 2
    z.view(len(conditioning), -1, *conditioning.shape[1:]).add_(conditioning.unsqueeze(1))
    z[:, :width].tanh_()
    z[:, width:].sigmoid_()
    torch.mul(z[:, :width], z[:, width:], out=gated[:, column : column + width])


def _plain_gate_backward(grad: Tensor, column: int, gates: Tensor, grad_z: Tensor, grad_conditioning: Tensor) -> None:
    """As `gates.gate_backward`, in plain torch."""
    width = gates.shape[1] // 2
    grad = grad[:, column : column + width]
    tanh, sigmoid = gates[:, :width], gates[:, width:]
    torch.ops.aten.tanh_backward.grad_input(grad * sigmoid, tanh, grad_input=grad_z[:, :width])
    torch.ops.aten.sigmoid_backward.grad_input(grad * tanh, sigmoid, grad_input=grad_z[:, width:])
    torch.sum(grad_z.view(len(grad_conditioning), -1, *grad_conditioning.shape[1:]), 1, out=grad_conditioning)
