import numpy as np
import pytest
import torch
from numba import njit

from vqspeech.models.output import Logistics, MuLaw
from vqspeech.synthesis.kernel import draw_class, draw_logistic, gate
from vqspeech.vector import PANEL, exp, has_pair_products, multiply_add, pair

RANDOM = np.random.default_rng(0)


def test_exp() -> None:
    x = np.linspace(-80, 80, 10001, dtype=np.float32)
    ours = np.array([exp(value) for value in x])
    assert np.allclose(ours, np.exp(x.astype(np.float64)), rtol=3e-7, atol=0)


def test_gate() -> None:
    sums = (RANDOM.standard_normal(2 * 64) * 10).astype(np.float32)
    sums[0], sums[64] = 500, -500
    activation = np.empty(64, np.float32)
    gate(sums, 0, 64, activation)
    expected = np.tanh(sums[:64].astype(np.float64)) / (1 + np.exp(-sums[64:].astype(np.float64)))
    assert np.allclose(activation, expected, atol=2e-7)


def test_pairs_round_as_torch_does() -> None:
    values = torch.cat([torch.randn(1000), torch.tensor([0.0, -0.0, 1.00390625, 1.01171875, 3e38, 1e-30])])
    bits = values.bfloat16().view(torch.int16).numpy().view(np.uint16)
    zero = np.float32(0)
    assert [pair_of(value, zero) for value in values.numpy()] == bits.tolist()
    assert [pair_of(zero, value) >> 16 for value in values.numpy()] == bits.tolist()


@pytest.mark.parametrize("form", ["float32", "widened", "pairs"])
def test_multiply_add(form: str) -> None:
    if form == "pairs" and not has_pair_products():
        pytest.skip("this processor multiplies no pairs of bfloat16")
    inputs = 12
    # Small whole numbers and their products are exact in every form.
    weights = RANDOM.integers(-8, 8, (inputs, PANEL)).astype(np.float32)
    x = RANDOM.integers(-8, 8, inputs).astype(np.float32)
    start = RANDOM.integers(-8, 8, PANEL).astype(np.float32)
    packed, operand = weights, x
    if form != "float32":
        packed = pairs_of(weights[: inputs // 2], weights[inputs // 2 :])
    if form == "pairs":
        operand = pairs_of(x[: inputs // 2], x[inputs // 2 :])
    sums = np.concatenate([np.zeros(3, np.float32), start, np.zeros(3, np.float32)])
    add(sums, 3, packed.reshape(-1), operand, len(packed))
    assert np.array_equal(sums[3:-3], start + x @ weights)
    assert not sums[:3].any()
    assert not sums[-3:].any()


@pytest.mark.parametrize("temperature", [0, 0.5, 1])
def test_draw_class(temperature: float) -> None:
    logits = (RANDOM.standard_normal((200, 256)) * 5).astype(np.float32)
    logits[0, 7] = 425
    uniform = RANDOM.random(200).astype(np.float32)
    scratch = np.empty(256, np.float32)
    ours = [
        draw_class(row.copy(), 0, 256, np.float32(temperature), chance, scratch)
        for row, chance in zip(logits, uniform, strict=True)
    ]
    theirs = MuLaw().sample(torch.from_numpy(logits), temperature, torch.from_numpy(uniform)[:, None])
    assert torch.equal(MuLaw().past(theirs), torch.tensor(ours))


@pytest.mark.parametrize("temperature", [0, 0.5, 1])
def test_draw_logistic(temperature: float) -> None:
    parameters = RANDOM.standard_normal((200, 30)).astype(np.float32)
    parameters[:, 20:] -= 4
    parameters[0, 20:] = -20
    uniform = RANDOM.random((200, 2)).astype(np.float32)
    uniform[1, 1], uniform[2, 1] = 0, 1 - 2**-24
    scratch = np.empty(64, np.float32)
    ours = [
        draw_logistic(row.copy(), 0, 10, np.float32(temperature), chance, scratch)
        for row, chance in zip(parameters, uniform, strict=True)
    ]
    theirs = Logistics(10).sample(torch.from_numpy(parameters), temperature, torch.from_numpy(uniform))
    assert np.allclose(ours, theirs.numpy(), atol=1e-5)


@njit
def pair_of(low: float, high: float) -> int:
    return pair(low, high)


@njit
def add(sums: np.ndarray, at: int, weights: np.ndarray, inputs: np.ndarray, words: int) -> None:
    multiply_add(sums, at, weights, 0, inputs, 0, words)


def pairs_of(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Two bfloat16 a word, low half first."""
    low, high = (
        torch.from_numpy(half).bfloat16().view(torch.int16).numpy().view(np.uint16).astype(np.uint32)
        for half in (low, high)
    )
    return low | high << 16
