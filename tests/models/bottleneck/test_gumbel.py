import math

import pytest
import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.gumbel import GumbelSoftmax


def test_draws_follow_the_posterior_and_the_likeliest_is_taken_in_evaluation() -> None:
    torch.manual_seed(0)
    made = GumbelSoftmax(BottleneckConfig(name="gumbel", codes=3, dim=2))
    latents = torch.tensor([[0.3], [-0.8]]).expand(1, 2, 20_000)
    posterior = made.log_posterior(latents)[0, 0].exp().detach()
    drawn = made.train()(latents)
    shares = torch.bincount(drawn.indices.flatten(), minlength=3) / 20_000
    assert torch.allclose(shares, posterior, atol=0.015)
    # A draw is one code, not a mixture.
    assert torch.allclose(drawn.latents, made.lookup(drawn.indices), atol=1e-5)
    assert (made.eval()(latents).indices == posterior.argmax()).all()


def test_divergence_from_the_uniform_prior_by_hand() -> None:
    made = GumbelSoftmax(BottleneckConfig(name="gumbel", codes=4, dim=2))
    sure = torch.tensor([[[0.5, 0.5, 0.0, 0.0]]]).clamp_min(1e-30).log()
    assert made.kl(sure).item() == pytest.approx(math.log(4) - math.log(2), abs=1e-5)
    assert made.kl(torch.full((2, 3, 4), 0.25).log()).item() == pytest.approx(0, abs=1e-6)


def test_the_temperature_falls_by_the_same_factor_each_step() -> None:
    made = GumbelSoftmax(
        BottleneckConfig(name="gumbel", codes=4, dim=2, temperature=2.0, final_temperature=0.5, anneal_steps=4)
    ).train()
    seen = []
    for _ in range(6):
        seen.append(made.temperature)
        made(torch.randn(1, 2, 3))
    assert seen == pytest.approx([2.0, 2**0.5, 1.0, 0.5**0.5, 0.5, 0.5])
