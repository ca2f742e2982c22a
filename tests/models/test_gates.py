"""The compiled gates against plain torch."""

import pytest
import torch
from torch import Tensor

from vqspeech.models import gated_stack, gates

FRAMES, HOP, BATCH, WIDTH = 5, 3, 2, 7
ROWS = FRAMES * HOP * BATCH


def tensors(dtype: torch.dtype, *shapes: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [(2 * torch.randn(shape, generator=generator)).to(dtype) for shape in shapes]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_forward(dtype: torch.dtype, tolerance: float) -> None:
    z, conditioning, gated = tensors(dtype, (ROWS, 2 * WIDTH), (FRAMES, BATCH, 2 * WIDTH), (ROWS, 3 * WIDTH))
    z[0, 0], z[1, 0], z[2, WIDTH], z[3, WIDTH] = 300, -300, 300, -300
    plain = [z.clone(), conditioning, gated.clone()]
    gates.gate(z, conditioning, gated, WIDTH)
    gated_stack._plain_gate(*plain, WIDTH)
    assert torch.allclose(z, plain[0], atol=tolerance)
    assert torch.allclose(gated, plain[2], atol=tolerance)
    assert torch.equal(gated[:, :WIDTH], plain[2][:, :WIDTH])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 5e-2)])
def test_backward(dtype: torch.dtype, tolerance: float) -> None:
    grad, left = tensors(dtype, (ROWS, 3 * WIDTH), (ROWS, 2 * WIDTH))
    left = torch.cat([left[:, :WIDTH].tanh(), left[:, WIDTH:].sigmoid()], dim=1)
    outs = [
        [torch.empty(ROWS, 2 * WIDTH, dtype=dtype), torch.empty(FRAMES, BATCH, 2 * WIDTH, dtype=dtype)] for _ in "ab"
    ]
    gates.gate_backward(grad, WIDTH, left, *outs[0])
    gated_stack._plain_gate_backward(grad, WIDTH, left, *outs[1])
    for ours, plain in zip(*outs, strict=True):
        assert torch.allclose(ours, plain, atol=tolerance, rtol=tolerance)
