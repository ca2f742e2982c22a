"""The compiled cross-entropy against PyTorch's."""

import pytest
import torch
from torch.nn import functional

from vqspeech.models.cross_entropy import CrossEntropy


@pytest.mark.parametrize(("rows", "width"), [(5, 16), (300, 256)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
def test_equals_pytorch_in_value_and_gradient(rows: int, width: int, dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    logits = (5 * torch.randn(rows, width)).to(dtype)
    logits[0, 0], logits[1, :] = 300, -300
    classes, weights = torch.randint(width, (rows,)), torch.rand(rows)
    ours, theirs = (logits.clone().requires_grad_() for _ in "ab")
    nats = CrossEntropy.apply(ours, classes)
    expected = functional.cross_entropy(theirs.float(), classes, reduction="none")
    assert torch.allclose(nats, expected, atol=1e-4, rtol=1e-5)
    (nats * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad.dtype == dtype
    assert torch.allclose(ours.grad.float(), theirs.grad.float(), atol=tolerance)


def test_what_is_no_number_stays_none() -> None:
    logits = torch.zeros(3, 16)
    logits[1, 4] = float("nan")
    nats = CrossEntropy.apply(logits, torch.tensor([0, 3, 2]))
    assert torch.isfinite(nats).tolist() == [True, False, True]


@pytest.mark.parametrize("classes", [[0, 16], [0, -1], [0]])
def test_classes_that_do_not_exist_are_refused(classes: list[int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        CrossEntropy.apply(torch.zeros(2, 16), torch.tensor(classes))
