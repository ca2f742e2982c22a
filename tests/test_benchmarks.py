"""The opponents in egs/benchmarks compute what ours compute: otherwise their times would say nothing."""

import pytest
import torch

from egs.benchmarks.conventional import CachedSampler, ConventionalWaveNet, sample_with_full_receptive_field
from vqspeech.config import DecoderConfig
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis.reference import ReferenceSampler


@pytest.fixture(params=[2, 3])
def decoder(request: pytest.FixtureRequest) -> WaveNet:
    torch.manual_seed(0)
    return WaveNet(DecoderConfig(layers=6, cycle=3, kernel=request.param, residual=8, skip=12, conditioning=5)).eval()


def test_the_conventional_form_equals_ours(decoder: WaveNet) -> None:
    waveform, conditioning = torch.rand(2, 192) - 0.5, torch.randn(2, 5, 3)
    theirs = ConventionalWaveNet(decoder)(waveform, conditioning)
    assert torch.allclose(theirs, decoder(waveform, conditioning), atol=1e-5)


@torch.no_grad()
def test_the_lean_cached_sampler_draws_what_the_reference_draws(decoder: WaveNet) -> None:
    gates, uniform = decoder.project(torch.randn(1, 5, 4)), torch.rand(4 * decoder.hop, 1, 1)
    theirs = CachedSampler(decoder).draw(gates, uniform, 0.9)
    assert torch.equal(theirs, ReferenceSampler(decoder, 1).draw(gates, uniform, 0.9)[:, 0])


def test_the_loop_without_a_cache_draws_samples(decoder: WaveNet) -> None:
    drawn = sample_with_full_receptive_field(decoder, torch.randn(1, 5, 4), 3)
    assert drawn.shape == (1, 3)
