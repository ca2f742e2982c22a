import pytest
import torch

from vqspeech.config import EncoderConfig
from vqspeech.models.encoder import Encoder

STRIDES = [(2,) * 6, (2,) * 6 + (5,), (2,) * 7 + (5,), (5, 4, 2), (3, 3), (1, 2), (7,)]


@pytest.mark.parametrize("strides", STRIDES)
@pytest.mark.parametrize("surplus", [-1, 0, 1])
def test_any_length_gives_one_frame_per_hop_rounded_up(strides: tuple[int, ...], surplus: int) -> None:
    encoder = Encoder(EncoderConfig(strides=strides, channels=4, hidden=4, dilations=(1,)), dim=3)
    hop = torch.tensor(strides).prod().item()
    samples = 5 * hop + surplus
    frames = encoder(torch.randn(2, samples)).shape
    assert frames == (2, 3, -(-samples // hop))


def test_the_default_compresses_64_times() -> None:
    assert Encoder(EncoderConfig(), dim=8).hop == 64


@pytest.mark.parametrize("strides", STRIDES)
def test_a_frame_depends_on_its_context_alone(strides: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(strides=strides, channels=4, hidden=4, dilations=(1, 2)), dim=3).eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    waveform = torch.randn(1, 40 * encoder.hop)
    frame = 20
    reach = slice((frame - encoder.context) * encoder.hop, (frame + 1 + encoder.context) * encoder.hop)
    whole = encoder(waveform)[0, :, frame]
    part = encoder(waveform[:, reach])[0, :, encoder.context]
    assert torch.allclose(whole, part, atol=1e-5)

    elsewhere = waveform.clone()
    elsewhere[:, : reach.start] = 0
    elsewhere[:, reach.stop :] = 0
    assert torch.allclose(whole, encoder(elsewhere)[0, :, frame], atol=1e-5)
    own = waveform.clone()
    own[:, frame * encoder.hop : (frame + 1) * encoder.hop] = 0
    assert not torch.allclose(whole, encoder(own)[0, :, frame], atol=1e-3)


def test_padding_on_the_right_is_silence() -> None:
    encoder = Encoder(EncoderConfig(channels=4, hidden=4), dim=3).eval()
    waveform = torch.randn(1, 100)
    padded = torch.nn.functional.pad(waveform, (0, 28))
    assert torch.equal(encoder(waveform), encoder(padded))
