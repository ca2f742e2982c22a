import pytest
import torch

from vqspeech.config import DecoderConfig
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis.reference import sample, teacher_forced


def decoder(**changes: object) -> WaveNet:
    torch.manual_seed(0)
    settings = {"layers": 6, "cycle": 3, "residual": 8, "skip": 12, "conditioning": 5, **changes}
    return WaveNet(DecoderConfig(**settings)).eval()


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_cached_equals_teacher_forcing(kernel: int, output: str) -> None:
    net = decoder(kernel=kernel, output=output)
    waveform, conditioning = torch.rand(3, 192) - 0.5, torch.randn(3, 5, 3)
    with torch.no_grad():
        assert torch.allclose(
            teacher_forced(net, waveform, conditioning), net(waveform, conditioning), atol=1e-4, rtol=0
        )


@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_cached_equals_teacher_forcing_after_training(output: str) -> None:
    net = decoder(output=output).train()
    waveform, conditioning = 0.5 * torch.sin(torch.arange(3 * 192) * 0.1).reshape(3, 192), torch.randn(3, 5, 3)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(150):
        loss = net.output.negative_log_likelihood(net(waveform, conditioning), waveform).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    net.eval()
    with torch.no_grad():
        logits = net(waveform, conditioning)
        cached = teacher_forced(net, waveform, conditioning)
    assert (cached - logits).abs().max() <= 1e-4 + 1e-6 * logits.abs().max()


def test_a_drawn_waveform_is_what_teacher_forcing_would_draw() -> None:
    net = decoder()
    conditioning = torch.randn(2, 5, 2)
    drawn = sample(net, conditioning, temperature=0)
    with torch.no_grad():
        parameters = net(drawn, conditioning)
    assert torch.equal(net.output.sample(parameters, 0, torch.zeros(2, 128, 1)), drawn)


def test_the_seed_decides() -> None:
    net, conditioning = decoder(), torch.randn(2, 5, 2)
    first, again, other = (sample(net, conditioning, 1.0, generators(seed, seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_stream_does_not_depend_on_the_others() -> None:
    net, conditioning = decoder(), torch.randn(3, 5, 2)
    together = sample(net, conditioning, 1.0, generators(5, 6, 7))
    alone = sample(net, conditioning[1:2], 1.0, generators(6))
    assert torch.allclose(together[1], alone[0])


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]
