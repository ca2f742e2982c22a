import math

import pytest
import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.continuous import Gaussian, Identity


def gaussian(**changes: object) -> Gaussian:
    made = Gaussian(BottleneckConfig(name="vae", dim=2, **changes))
    made.posterior.weight.data.zero_()
    made.posterior.bias.data.copy_(torch.tensor([1.0, 0.0, math.log(0.25), 0.0]))
    return made


def test_divergence_by_torch_distributions_and_the_free_nats() -> None:
    latents = torch.zeros(3, 2, 5)
    posterior = torch.distributions.Normal(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 1.0]))
    kl = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0))
    assert gaussian().train()(latents).kl.item() == pytest.approx(kl.sum().item())
    # The second dimension says nothing and is let off below its free nats.
    freed = gaussian(free_nats=0.3)
    assert freed.train()(latents).kl.item() == pytest.approx(kl[0].item() + 0.3)
    assert freed.eval()(latents).kl.item() == pytest.approx(kl.sum().item())


def test_draws_have_the_posteriors_mean_and_deviation() -> None:
    torch.manual_seed(0)
    drawn = gaussian().train()(torch.zeros(1, 2, 50_000)).latents[0]
    assert torch.allclose(drawn.mean(1), torch.tensor([1.0, 0.0]), atol=0.02)
    assert torch.allclose(drawn.std(1), torch.tensor([0.5, 1.0]), atol=0.02)
    used = gaussian().eval()
    assert torch.allclose(used(torch.zeros(1, 2, 1)).latents[0, :, 0], torch.tensor([1.0, 0.0]))
    drawn = used.drawn(torch.zeros(1, 2, 50_000), torch.Generator().manual_seed(0)).latents[0]
    assert torch.allclose(drawn.std(1), torch.tensor([0.5, 1.0]), atol=0.02)


def test_the_auto_encoder_only_normalises() -> None:
    latents = torch.randn(2, 6, 4) * 3 + 1
    passed = Identity(BottleneckConfig(name="ae", dim=6))(latents).latents
    assert torch.allclose(passed.var(1, unbiased=False), torch.ones(2, 4), atol=1e-3)
    assert torch.equal(Identity(BottleneckConfig(name="ae", dim=6, normalise="none"))(latents).latents, latents)
