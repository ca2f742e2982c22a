import pytest
import torch

from vqspeech.config import BottleneckConfig, ConfigError, DecoderConfig, EncoderConfig, ModelConfig
from vqspeech.models.vqvae import VQVAE


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
