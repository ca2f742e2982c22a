"""Muon: hidden matrices step along the nearest orthogonal matrix to their momentum, all other weights by AdamW."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

MOMENTUM = 0.95
ITERATIONS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the polynomial whose iteration brings all singular values near 1 in few steps (Jordan et al. 2024)."""
LIKE_ADAMW = 0.2
"""Root mean square of a step at learning rate 1, about AdamW's, so that its learning rates fit (Liu et al. 2025)."""


class Muon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) with Nesterov momentum for hidden matrices, AdamW for the other parameters of a module.

    A step of an `r x c` matrix is the orthogonal matrix nearest to its momentum, times `0.2 sqrt(max(r, c))` (Liu et
    al. 2025, section 2.2): every direction moves alike, also those in which gradients are small. A convolution is one
    matrix, of outputs by inputs and taps; in other parameters with more than two axes the leading ones count matrices.
    torch.optim.Muon does the same for parameters of two axes alone.
    """

    def __init__(
        self, module: nn.Module, learning_rate: float, betas: tuple[float, float], weight_decay: float
    ) -> None:
        stacked, convolutions, others = [], [], []
        for owner, name, parameter in _parameters(module):
            if parameter.ndim < 2 or isinstance(owner, nn.Embedding) or {"codebook", "final"} & set(name.split(".")):
                others.append(parameter)
            elif isinstance(owner, nn.Conv1d | nn.ConvTranspose1d):
                convolutions.append(parameter)
            else:
                stacked.append(parameter)
        groups = [
            {"params": stacked, "orthogonal": True, "flatten": False},
            {"params": convolutions, "orthogonal": True, "flatten": True},
            {"params": others, "orthogonal": False},
        ]
        defaults = {"lr": learning_rate, "betas": betas, "weight_decay": weight_decay, "fused": True}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["orthogonal"]:
                for parameter in moved:
                    self._step_orthogonal(parameter, group)
            elif moved:
                self._step_adamw(moved, group)

    def _step_orthogonal(self, parameter: Tensor, group: dict) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        direction = parameter.grad.lerp(momentum, MOMENTUM)
        if group["flatten"]:
            direction = direction.flatten(1)
        size = LIKE_ADAMW * math.sqrt(max(direction.shape[-2:]))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(orthogonalised(direction).view_as(parameter), alpha=-group["lr"] * size)

    def _step_adamw(self, parameters: list[Tensor], group: dict) -> None:
        states = [self.state[parameter] for parameter in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.zeros((), device=parameter.device)
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        adamw(
            parameters,
            [parameter.grad for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonalised(matrices: Tensor) -> Tensor:
    """Matrices `[..., r, c]` with their singular values brought near 1 (0.7 to 1.2), by a Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


def _parameters(module: nn.Module) -> Iterable[tuple[nn.Module, str, nn.Parameter]]:
    """Every parameter once, with its whole name and the module that has it."""
    for prefix, owner in module.named_modules():
        for name, parameter in owner.named_parameters(recurse=False):
            yield owner, f"{prefix}.{name}", parameter
