import math

import pytest
import torch

from vqspeech.config import BottleneckConfig, DecoderConfig, EncoderConfig, ModelConfig
from vqspeech.models.bottleneck import Feedback
from vqspeech.models.vqvae import VQVAE
from vqspeech.settings import ConfigError


def small(**bottleneck: object) -> ModelConfig:
    return ModelConfig(
        speaker_dim=4,
        encoder=EncoderConfig(channels=8, hidden=8, dilations=(1,)),
        bottleneck=BottleneckConfig(codes=8, dim=4, **bottleneck),
        decoder=DecoderConfig(layers=4, cycle=4, residual=8, skip=8, conditioning=8),
    )


@pytest.fixture
def model() -> VQVAE:
    torch.manual_seed(0)
    made = VQVAE(small(), speakers=3).eval()
    made.bottleneck.started.fill_(True)
    return made


def test_shapes_for_a_length_that_is_no_multiple_of_the_hop(model: VQVAE) -> None:
    waveform = torch.rand(2, 200) - 0.5
    codes = model.encode(waveform)
    assert codes.indices.shape == (2, 4)
    assert codes.latents.shape == (2, 4, 4)
    assert model(waveform, torch.tensor([0, 2])).nll.shape == (2, 200)


def test_speaker_and_codes_bear_on_the_likelihood(model: VQVAE) -> None:
    waveform = torch.rand(1, 256) - 0.5
    latents = model.bottleneck.lookup(torch.tensor([[0, 1, 2, 3]]))
    nll = model.negative_log_likelihood(waveform, latents, torch.tensor([0]))
    assert not torch.allclose(nll, model.negative_log_likelihood(waveform, latents, torch.tensor([1])))
    assert not torch.allclose(nll, model.negative_log_likelihood(waveform, latents.flip(2), torch.tensor([0])))


def test_without_codes_nothing_of_the_waveform_reaches_the_decoder() -> None:
    model = VQVAE(small(name="none"), speakers=2).eval()
    waveform = torch.rand(2, 256)
    assert not model.encode(waveform).latents.any()
    model(waveform, torch.tensor([0, 1])).nll.mean().backward()
    assert all(p.grad is None or not p.grad.any() for p in model.encoder.parameters())


def test_jitter_takes_neighbours_in_training_only() -> None:
    torch.manual_seed(0)
    model = VQVAE(small(jitter=0.5), speakers=1)
    latents = torch.arange(1000.0).expand(1, 4, 1000)
    step = model.train()._jitter(latents) - latents
    assert step[0, :, 1:-1].abs().max() == 1
    assert (step != 0).float().mean() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(model.eval()._jitter(latents), latents)


def test_a_conditioning_hop_that_does_not_divide_the_hop_is_refused() -> None:
    with pytest.raises(ConfigError, match="conditioning_hop"):
        VQVAE(ModelConfig(decoder=DecoderConfig(conditioning_hop=48)), speakers=1)


def estimator(name: str = "nvil", **decoder: object) -> VQVAE:
    """A model whose codes are drawn, with a hop of 32 and conditioning frames of 16 samples."""
    torch.manual_seed(0)
    return VQVAE(
        ModelConfig(
            speaker_dim=4,
            encoder=EncoderConfig(channels=8, hidden=8, dilations=(1,), strides=(4, 8)),
            bottleneck=BottleneckConfig(
                name=name, codes=8, dim=4, draws=3, jitter=0.5, kl=1.0 if name == "vimco" else 0.5
            ),
            decoder=DecoderConfig(
                layers=4, cycle=4, residual=8, skip=8, conditioning=8, conditioning_hop=16, past_dropout=0.5, **decoder
            ),
        ),
        speakers=2,
    ).train()


def test_a_codes_signal_is_the_likelihood_of_the_samples_that_it_bears_on() -> None:
    model, heard = estimator(conditioning_dilations=(1, 2)), []
    learn = model.bottleneck.learn
    model.bottleneck.learn = lambda *given: heard.append(given[2]) or learn(*given)
    decoded = []
    likelihood = model.negative_log_likelihood
    model.negative_log_likelihood = lambda *given: decoded.append(likelihood(*given)) or decoded[-1]
    waveform, length = torch.rand(2, 20 * 32) - 0.5, torch.tensor([640, 350])
    output = model(waveform, torch.tensor([0, 1]), length)
    nll = decoded[0].view(3, 2, 640)
    context = model.prepare.context
    assert context > 0
    for batch, frame in ((0, 10), (1, 4), (1, 12)):
        first, last = (frame - context) * 32, (frame + context + 1) * 32
        expected = -nll[:, batch, first : min(last, int(length[batch]))].sum(1)
        assert torch.allclose(heard[0][:, batch, frame], expected, rtol=1e-4)
    assert torch.allclose(output.nll, nll.mean(0), atol=1e-5)


def test_losses_of_frames_are_spread_over_their_samples() -> None:
    model = estimator("gumbel")
    waveform = torch.rand(2, 640) - 0.5
    log_posterior = model.bottleneck.log_posterior(model.encoder(waveform))
    entropy = torch.distributions.Categorical(logits=log_posterior).entropy()
    output = model(waveform, torch.tensor([0, 1]))
    assert output.losses["kl"].item() == pytest.approx(0.5 * (math.log(8) - entropy.mean().item()) / 32, rel=1e-4)


def test_the_estimators_losses_and_weights_are_used_as_they_are() -> None:
    model, decoded = estimator("vimco"), []
    weights = torch.rand(3, 2, 20).softmax(0)
    model.bottleneck.learn = lambda *_: Feedback(weights, {"score": torch.tensor(6.4)})
    likelihood = model.negative_log_likelihood
    model.negative_log_likelihood = lambda *given: decoded.append(likelihood(*given)) or decoded[-1]
    output = model(torch.rand(2, 640) - 0.5, torch.tensor([0, 1]))
    # A hop of 32.
    assert output.losses["score"].item() == pytest.approx(0.2)
    nll = decoded[0].view(3, 2, 20, 32)
    assert torch.allclose(output.nll, (weights.unsqueeze(3) * nll).sum(0).flatten(1), atol=1e-5)


def test_draws_meet_the_same_jitter_and_the_same_gaps() -> None:
    model = estimator()
    latents = torch.arange(100.0).expand(6, 4, 100)
    jittered = model._jitter(latents, draws=3).view(3, 2, 4, 100)
    assert torch.equal(jittered[0], jittered[1])
    assert torch.equal(jittered[0], jittered[2])
    assert not torch.equal(jittered[0, 0], jittered[0, 1])
    hidden = model._hidden(torch.zeros(2, 100), draws=3).view(3, 2, 100)
    assert torch.equal(hidden[0], hidden[2])
    assert not torch.equal(hidden[0, 0], hidden[0, 1])
