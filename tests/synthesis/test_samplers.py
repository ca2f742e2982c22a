from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from vqspeech.config import DecoderConfig
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis import sample, stream, teacher_forced
from vqspeech.synthesis.cpu import CpuSampler

EXACT = ["reference", "cpu-float32"]
ALL = [*EXACT, "cpu"]


def decoder(**changes: object) -> WaveNet:
    torch.manual_seed(0)
    # Widths that are no whole panels, dilations on both sides of a chunk, a hop that is not made of whole chunks.
    settings = {
        "layers": 6,
        "cycle": 5,
        "residual": 9,
        "skip": 70,
        "conditioning": 5,
        "conditioning_hop": 20,
        **changes,
    }
    return WaveNet(DecoderConfig(**settings)).eval()


def speech(streams: int, frames: int) -> tuple[Tensor, Tensor]:
    """Waveforms and conditioning frames."""
    generator = torch.Generator().manual_seed(1)
    waveform = torch.rand(streams, frames * 20, generator=generator) - 0.5
    return waveform, torch.randn(streams, 5, frames, generator=generator)


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def bits(net: WaveNet, parameters: Tensor, waveform: Tensor) -> float:
    return net.output.negative_log_likelihood(parameters, waveform).mean().item() / 0.6931


@pytest.mark.parametrize("sampler", EXACT)
@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_cached_equals_teacher_forcing(sampler: str, kernel: int, output: str) -> None:
    net, (waveform, conditioning) = decoder(kernel=kernel, output=output), speech(3, 8)
    with torch.no_grad():
        expected = net(waveform, conditioning)
    assert torch.allclose(teacher_forced(net, waveform, conditioning, sampler), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("sampler", EXACT)
@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_cached_equals_teacher_forcing_after_training(sampler: str, output: str) -> None:
    net = decoder(output=output).train()
    waveform, conditioning = 0.5 * torch.sin(torch.arange(3 * 180) * 0.1).reshape(3, 180), torch.randn(3, 5, 9)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        loss = net.output.negative_log_likelihood(net(waveform, conditioning), waveform).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) / 20 < losses[0] - 1  # how far it gets depends on the number of threads
    net.eval()
    with torch.no_grad():
        expected = net(waveform, conditioning)
    cached = teacher_forced(net, waveform, conditioning, sampler)
    assert (cached - expected).abs().max() <= 1e-4 + 1e-6 * expected.abs().max()


@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_weights_of_16_bits_change_little(output: str) -> None:
    net, (waveform, conditioning) = decoder(output=output, residual=32), speech(4, 20)
    exact, rounded = (teacher_forced(net, waveform, conditioning, name) for name in ("cpu-float32", "cpu"))
    assert 0 < (exact - rounded).abs().max() < 0.05 * exact.abs().max()
    assert bits(net, rounded, waveform) == pytest.approx(bits(net, exact, waveform), abs=0.01)


@pytest.mark.parametrize("sampler", ALL)
def test_a_drawn_waveform_is_what_teacher_forcing_would_draw(sampler: str) -> None:
    net, (_, conditioning) = decoder(), speech(2, 6)
    drawn = sample(net, conditioning, temperature=0, sampler=sampler)
    parameters = teacher_forced(net, drawn, conditioning, sampler)
    assert torch.equal(net.output.sample(parameters, 0, torch.zeros(2, 120, 1)), drawn)


@pytest.mark.parametrize("output", ["mulaw", "logistics"])
@pytest.mark.parametrize("temperature", [0, 0.7, 1.0])
def test_samplers_draw_alike(output: str, temperature: float) -> None:
    net, (_, conditioning) = decoder(output=output), speech(2, 4)
    plain, compiled = (sample(net, conditioning, temperature, generators(3, 4), sampler=name) for name in EXACT)
    assert torch.allclose(plain, compiled, atol=1e-4)


@pytest.mark.parametrize("sampler", ALL)
def test_the_seed_decides(sampler: str) -> None:
    net, (_, conditioning) = decoder(), speech(2, 4)
    first, again, other = (
        sample(net, conditioning, 1.0, generators(seed, seed), sampler=sampler) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("sampler", ALL)
def test_a_stream_does_not_depend_on_the_others(sampler: str) -> None:
    net, (_, conditioning) = decoder(), speech(3, 4)
    together = sample(net, conditioning, 1.0, generators(5, 6, 7), sampler=sampler)
    alone = sample(net, conditioning[1:2], 1.0, generators(6), sampler=sampler)
    assert torch.allclose(together[1], alone[0]) if sampler == "reference" else torch.equal(together[1], alone[0])


@pytest.mark.parametrize("sampler", ALL)
def test_blocks_do_not_matter(sampler: str) -> None:
    net, (_, conditioning) = decoder(), speech(2, 40)

    def pieces() -> Iterator[Tensor]:
        yield from conditioning.split([1, 2, 30, 7], dim=2)

    blocks = list(stream(net, pieces(), 1.0, generators(5, 6), sampler))
    assert [block.shape[1] for block in blocks] == [20, 40, 320, 280, 140]
    whole = sample(net, conditioning, 1.0, generators(5, 6), sampler=sampler)
    assert torch.allclose(torch.cat(blocks, dim=1), whole) if sampler == "reference" else True
    if sampler != "reference":
        assert torch.equal(torch.cat(blocks, dim=1), whole)


def test_threads_do_not_matter() -> None:
    net, (waveform, conditioning) = decoder(), speech(5, 4)
    with torch.no_grad():
        gates = net.project(conditioning)
    one, three = (CpuSampler(net, 5, threads=threads).predict(gates, waveform.t()) for threads in (1, 3))
    assert torch.equal(one, three)


def test_progress_is_told() -> None:
    net, (_, conditioning) = decoder(), speech(1, 40)
    heard: list[int] = []
    sample(net, conditioning, heard=heard.append)
    assert heard == [16, 32, 40]
