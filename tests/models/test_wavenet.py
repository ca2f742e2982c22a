"""The hand-written stack against the conventional WaveNet: Conv1d layers and conditioning upsampled to sample rate."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.config import DecoderConfig
from vqspeech.models.gated_stack import GatedStack
from vqspeech.models.wavenet import Conditioning, WaveNet


def config(**changes: object) -> DecoderConfig:
    return DecoderConfig(**{"layers": 6, "cycle": 3, "residual": 8, "skip": 12, "conditioning": 5, **changes})


def conventional(decoder: WaveNet, waveform: Tensor, conditioning: Tensor) -> Tensor:
    """The textbook form of the same function."""
    width = decoder.config.residual
    x = decoder.past(decoder.output.past(functional.pad(waveform[:, :-1], (1, 0)))).transpose(1, 2)
    upsampled = conditioning.repeat_interleave(decoder.hop, dim=2)
    projection = decoder.conditioning.weight.view(len(decoder.dilations), 2 * width, -1)
    bias = decoder.conditioning.bias.view(len(decoder.dilations), 2 * width)
    skips = []
    for i, dilation in enumerate(decoder.dilations):
        # Tap 0 of ours is the current sample; Conv1d's last tap is.
        weight = decoder.dilated[i].flip(0).permute(2, 1, 0)
        padding = (decoder.config.kernel - 1) * dilation
        z = functional.conv1d(functional.pad(x, (padding, 0)), weight, dilation=dilation)
        z = z + functional.conv1d(upsampled, projection[i].unsqueeze(2), bias[i])
        activation = z[:, :width].tanh() * z[:, width:].sigmoid()
        skips.append(activation)
        if i + 1 < len(decoder.dilations):
            x = x + functional.conv1d(activation, decoder.residual[i].t().unsqueeze(2), decoder.residual_bias[i])
    return decoder.predict(torch.cat(skips, dim=1).transpose(1, 2))


@pytest.mark.parametrize("kernel", [2, 3])
@pytest.mark.parametrize("output", ["mulaw", "logistics"])
def test_equals_the_conventional_form_in_value_and_gradient(kernel: int, output: str) -> None:
    torch.manual_seed(0)
    decoder = WaveNet(config(kernel=kernel, output=output))
    waveform, conditioning = torch.rand(2, 192) - 0.5, torch.randn(2, 5, 3, requires_grad=True)
    gradients = []
    values = []
    for form in (lambda: decoder(waveform, conditioning), lambda: conventional(decoder, waveform, conditioning)):
        decoder.zero_grad()
        conditioning.grad = None
        value = form()
        value.square().mean().backward()
        values.append(value)
        gradients.append([p.grad.clone() for p in (*decoder.parameters(), conditioning)])
    assert torch.allclose(*values, atol=1e-5)
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_gradients_by_finite_differences() -> None:
    torch.manual_seed(0)
    layers, frames, batch, width, kernel = 3, 2, 2, 3, 2

    def tensor(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, requires_grad=True)

    inputs = (
        tensor(frames * 4 * batch, width),
        tensor(layers, frames, batch, 2 * width),
        tensor(layers, kernel, width, 2 * width),
        tensor(layers - 1, width, width),
        tensor(layers - 1, width),
    )
    # The dilation of 16 reaches back further than the signal is long.
    assert torch.autograd.gradcheck(lambda *tensors: GatedStack.apply(*tensors, (1, 2, 16)), inputs)


@pytest.mark.parametrize("kernel", [2, 3])
def test_causal_and_of_the_stated_receptive_field(kernel: int) -> None:
    torch.manual_seed(0)
    decoder = WaveNet(config(kernel=kernel, cycle=6, layers=4)).double()
    samples = 128
    waveform = (torch.rand(1, samples, dtype=torch.float64) - 0.5).requires_grad_()
    # Mu-law classes have no gradient: feed the embedding of a linear past instead.
    decoder.past = torch.nn.Linear(1, 8, dtype=torch.float64)
    decoder.output.past = lambda w: w.unsqueeze(-1)
    parameters = decoder(waveform, torch.randn(1, 5, 2, dtype=torch.float64))
    t = 100
    parameters[0, t].square().sum().backward()
    reached = waveform.grad[0].nonzero().flatten()
    assert reached.max() == t - 1
    assert reached.min() == t - decoder.receptive_field
    assert decoder.receptive_field == 1 + (kernel - 1) * (1 + 2 + 4 + 8)


def test_a_hidden_sample_is_not_seen() -> None:
    torch.manual_seed(0)
    decoder = WaveNet(config())
    waveform, conditioning = torch.rand(1, 64) - 0.5, torch.randn(1, 5, 1)
    hidden = torch.zeros(1, 64, dtype=torch.bool)
    hidden[0, 30] = True
    other = waveform.clone()
    other[0, 30] = 0.9
    assert torch.equal(decoder(waveform, conditioning, hidden), decoder(other, conditioning, hidden))
    assert not torch.equal(decoder(waveform, conditioning), decoder(other, conditioning))


@pytest.mark.parametrize(("hop", "frames"), [(64, 3), (320, 15), (640, 30)])
def test_slow_codes_are_interpolated_to_the_conditioning_rate(hop: int, frames: int) -> None:
    prepare = Conditioning(config(conditioning_hop=64), hop, inputs=4 + 2)
    assert prepare(torch.randn(2, 4, 3), torch.randn(2, 2)).shape == (2, 5, frames)
