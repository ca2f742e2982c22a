"""The estimators' mean against the exact gradient, by going through all draws of a toy."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.score_function import NVIL, VIMCO, ScoreFunction

CODES, FRAMES, DRAWS = 3, 2, 2
# log p(x | code) of each frame, and logits of its posterior.
LIKELIHOOD = torch.tensor([[-1.0, -2.5, -0.3], [-2.0, -0.7, -1.4]])
LOGITS = torch.tensor([[0.2, -0.4, 0.9], [0.5, 0.1, -0.8]])


def toy(kind: type[ScoreFunction]) -> ScoreFunction:
    made = kind(BottleneckConfig(name="vimco", codes=CODES, dim=CODES, draws=DRAWS))
    # The latents are the logits.
    made.posterior.weight.data.copy_(torch.eye(CODES).unsqueeze(2))
    made.posterior.bias.data.zero_()
    return made.train()


def exact_nvil(logits: Tensor) -> Tensor:
    """Minus E_q[log p(x|k)], a mean over frames."""
    return -(logits.softmax(1) * LIKELIHOOD).sum(1).mean()


def exact_vimco(logits: Tensor) -> Tensor:
    """Minus E[log 1/M sum_m p(x|k_m) p(k_m) / q(k_m|x)], a mean over frames."""
    log_q = logits.log_softmax(1)
    log_f = LIKELIHOOD - math.log(CODES) - log_q
    total = torch.zeros(FRAMES)
    for drawn in itertools.product(range(CODES), repeat=DRAWS):
        chance = log_q[:, drawn].sum(1).exp()
        total = total + chance * (log_f[:, drawn].logsumexp(1) - math.log(DRAWS))
    return -total.mean()


@pytest.mark.parametrize(("kind", "exact"), [(NVIL, exact_nvil), (VIMCO, exact_vimco)])
def test_the_mean_is_the_exact_gradient(kind: type[ScoreFunction], exact: object) -> None:
    torch.manual_seed(0)
    logits = LOGITS.clone().requires_grad_()
    (truth,) = torch.autograd.grad(exact(logits), logits)
    # Each of the batch is an estimate of its own.
    count = 40_000
    latents = LOGITS.t().repeat(count, 1, 1).requires_grad_()
    made = toy(kind)
    result = made(latents)
    codes = result.indices.view(DRAWS, count, FRAMES)
    log_likelihood = LIKELIHOOD[torch.arange(FRAMES), codes]
    (estimates,) = torch.autograd.grad(result.feedback(log_likelihood).losses["score"] * count, latents)
    estimates = estimates.transpose(1, 2)
    error = estimates.std(0) / math.sqrt(count)
    assert error.norm() < 0.05 * truth.norm()
    assert ((estimates.mean(0) - truth).abs() < 3 * error).all()


def test_vimco_weighs_the_decoder_by_the_draws_share_of_the_bound() -> None:
    made = toy(VIMCO)
    result = made(LOGITS.t().unsqueeze(0))
    codes = result.indices.view(DRAWS, 1, FRAMES)
    log_likelihood = LIKELIHOOD[torch.arange(FRAMES), codes]
    weights = result.feedback(log_likelihood).weights
    log_q = LOGITS.log_softmax(1)[torch.arange(FRAMES), codes]
    share = (log_likelihood - log_q).exp()
    assert torch.allclose(weights, share / share.sum(0), atol=1e-6)
    # Its bound holds the posterior already.
    assert result.kl is None
    assert set(result.feedback(log_likelihood).losses) == {"score"}


def test_vimcos_signal_by_hand() -> None:
    made = VIMCO(BottleneckConfig(name="vimco", codes=CODES, dim=CODES, draws=3))
    log_likelihood = torch.tensor([-1.0, -2.5, -0.3]).view(3, 1, 1)
    log_drawn = torch.tensor([-0.5, -1.2, -2.0]).view(3, 1, 1)
    log_f = [p - math.log(CODES) - q for p, q in zip((-1.0, -2.5, -0.3), (-0.5, -1.2, -2.0), strict=True)]
    f = [math.exp(value) for value in log_f]
    bound = math.log(sum(f) / 3)
    loss = 0.0
    for m, log_q in enumerate((-0.5, -1.2, -2.0)):
        others = [value for n, value in enumerate(log_f) if n != m]
        geometric_mean = math.exp(sum(others) / 2)
        without = math.log((sum(f) - f[m] + geometric_mean) / 3)
        loss -= (bound - without - f[m] / sum(f)) * log_q
    score = made.learn(torch.zeros(1, CODES, 1), log_drawn, log_likelihood, torch.zeros(())).losses["score"]
    assert score.item() == pytest.approx(loss, rel=1e-5)


def test_nvil_weighs_all_draws_alike_and_its_baseline_learns_the_mean() -> None:
    torch.manual_seed(0)
    made = toy(NVIL)
    latents = LOGITS.t().repeat(64, 1, 1)
    optimizer = torch.optim.Adam(made.baseline.parameters(), lr=0.05)
    for _ in range(300):
        result = made(latents)
        log_likelihood = torch.randn(DRAWS, 64, FRAMES) + torch.tensor([-100.0, -50.0])
        feedback = result.feedback(log_likelihood)
        optimizer.zero_grad()
        feedback.losses["baseline"].backward()
        optimizer.step()
    assert torch.allclose(feedback.weights, torch.full_like(feedback.weights, 1 / DRAWS))
    expected = made.mean + made.deviation * made.baseline(latents[:1])[0, 0]
    assert torch.allclose(expected, torch.tensor([-100.0, -50.0]), atol=2)


def test_nvils_signal_and_divergence_are_divided_by_a_deviation_above_one() -> None:
    made = toy(NVIL)
    for layer in made.baseline[::2]:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    log_likelihood = torch.tensor([-110.0, -90.0]).view(2, 1, 1)  # mean -100, deviation 10
    log_drawn = torch.tensor([-0.5, -2.0]).view(2, 1, 1)
    losses = made.learn(torch.zeros(1, CODES, 1), log_drawn, log_likelihood, torch.tensor(0.7)).losses
    assert losses["score"].item() == pytest.approx(-(-10 * -0.5 + 10 * -2.0) / 2 / 10, rel=1e-5)
    assert losses["kl"].item() == pytest.approx(0.7 / 10, rel=1e-5)
    assert losses["baseline"].item() == pytest.approx(1.0, rel=1e-5)
