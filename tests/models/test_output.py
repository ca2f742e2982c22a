import math

import pytest
import torch
import torchaudio

from vqspeech.models.output import Logistics, MuLaw, mu_law_decode, mu_law_encode


def chances(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_mu_law_equals_torchaudio() -> None:
    waveform = torch.cat([torch.linspace(-1, 1, 10_001), torch.tensor([0.0, 1e-5, -1e-5])])
    classes = mu_law_encode(waveform)
    assert torch.equal(classes, torchaudio.functional.mu_law_encoding(waveform, 256))
    assert torch.allclose(mu_law_decode(classes), torchaudio.functional.mu_law_decoding(classes, 256), atol=1e-6)


def test_mu_law_classes_survive_the_round_trip() -> None:
    classes = torch.arange(256)
    assert torch.equal(mu_law_encode(mu_law_decode(classes)), classes)


def test_a_fresh_embedding_holds_neighbouring_classes_closer_than_distant_ones() -> None:
    torch.manual_seed(0)
    embedding = MuLaw().past_layer(64).weight.detach()
    size = embedding.square().mean()
    assert 0.5 < size < 2
    assert (embedding[1:] - embedding[:-1]).square().mean() < 0.01 * size
    assert (embedding[128:] - embedding[:128]).square().mean() > size


def test_mu_law_likelihood_of_even_odds_is_eight_bits() -> None:
    nats = MuLaw().negative_log_likelihood(torch.zeros(2, 3, 256), torch.rand(2, 3))
    assert torch.allclose(nats, torch.full((2, 3), 8 * math.log(2)))


def test_mu_law_draws_follow_the_softmax() -> None:
    parameters = torch.full((20_000, 256), -30.0)
    parameters[:, 10], parameters[:, 200] = math.log(0.2), math.log(0.8)
    drawn = mu_law_encode(MuLaw().sample(parameters, 1.0, chances(20_000, 1)))
    assert set(drawn.tolist()) == {10, 200}
    assert (drawn == 200).float().mean() == pytest.approx(0.8, abs=0.01)
    assert (mu_law_encode(MuLaw().sample(parameters, 0.0, chances(20_000, 1))) == 200).all()
    sharper = mu_law_encode(MuLaw().sample(parameters, 0.5, chances(20_000, 1)))
    assert (sharper == 200).float().mean() == pytest.approx(0.64 / 0.68, abs=0.01)


def test_logistics_probabilities_sum_to_one_over_all_bins() -> None:
    torch.manual_seed(0)
    output = Logistics(mixtures=3)
    weights, means = torch.randn(3), torch.tensor([-0.98, 0.1, 0.5])
    parameters = torch.cat([weights, means, torch.tensor([-3.0, -5.0, -7.0])])
    samples = torch.linspace(-1, 1, output.LEVELS)
    nats = output.negative_log_likelihood(parameters.expand(output.LEVELS, -1), samples)
    assert torch.exp(-nats.double()).sum() == pytest.approx(1.0, abs=1e-3)


def test_logistics_likelihood_of_a_bin_worked_by_hand() -> None:
    output = Logistics(mixtures=1)
    scale = math.exp(-4.0)
    parameters = torch.tensor([0.0, 0.25, -4.0])

    def cdf(x: float) -> float:
        return 1 / (1 + math.exp(-(x - 0.25) / scale))

    half = 1 / 65535
    expected = -math.log(cdf(0.26 + half) - cdf(0.26 - half))
    assert float(output.negative_log_likelihood(parameters, torch.tensor(0.26))) == pytest.approx(expected, abs=0.05)


def test_logistics_draws_have_the_mean_and_scale() -> None:
    output = Logistics(mixtures=2)
    parameters = torch.tensor([10.0, -10.0, 0.1, -0.5, -4.0, -4.0]).expand(50_000, -1)
    drawn = output.sample(parameters, 1.0, chances(50_000, 2))
    assert drawn.mean() == pytest.approx(0.1, abs=1e-3)
    # The standard deviation of a logistic of scale s is s * pi / sqrt(3).
    assert drawn.std() == pytest.approx(math.exp(-4) * math.pi / math.sqrt(3), rel=0.02)
    assert torch.allclose(output.sample(parameters, 0.0, chances(50_000, 2)), torch.tensor(0.1))
