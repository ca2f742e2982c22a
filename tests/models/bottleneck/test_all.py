"""What holds for every bottleneck, whatever its method."""

import pytest
import torch

from vqspeech.config import BottleneckConfig, DecoderConfig, EncoderConfig, ModelConfig
from vqspeech.models.bottleneck import BOTTLENECKS, make_bottleneck
from vqspeech.models.vqvae import VQVAE
from vqspeech.settings import ConfigError

LEARNING = [name for name in BOTTLENECKS if name != "none"]
DISCRETE = [name for name in LEARNING if name not in ("vae", "ae")]


def config(name: str, **changes: object) -> BottleneckConfig:
    return BottleneckConfig(**{"name": name, "codes": 8, "dim": 6, "levels": (3, 4), "draws": 3, **changes})


def model(name: str, **changes: object) -> VQVAE:
    torch.manual_seed(0)
    made = VQVAE(
        ModelConfig(
            speaker_dim=4,
            encoder=EncoderConfig(channels=8, hidden=8, dilations=(1,)),
            bottleneck=config(name, **changes),
            decoder=DecoderConfig(layers=4, cycle=4, residual=8, skip=8, conditioning=8, conditioning_dilations=(1,)),
        ),
        speakers=2,
    )
    made.bottleneck.start(torch.randn(200, 6))
    return made


def test_the_config_knows_the_same_names() -> None:
    for name in BOTTLENECKS:
        assert type(make_bottleneck(config(name))) is BOTTLENECKS[name]


@pytest.mark.parametrize("changes", [{}, {"normalise": "unit"}, {"normalise": "none", "code_dim": 2}])
@pytest.mark.parametrize("name", LEARNING)
def test_a_step_of_training_reaches_the_encoder(name: str, changes: dict[str, object]) -> None:
    made = model(name, **changes).train()
    before = made(torch.rand(2, 640) - 0.5, torch.tensor([0, 1]))
    loss = before.nll.mean() + sum(before.losses.values())
    loss.backward()
    assert before.nll.shape == (2, 640)
    assert torch.isfinite(loss)
    assert made.encoder.strided[0].conv.weight.grad.any()
    assert all(parameter.grad is not None for parameter in made.bottleneck.parameters())


@pytest.mark.parametrize("name", [name for name in LEARNING if name not in ("nvil", "vimco")])
def test_what_the_decoder_hears_teaches_the_encoder(name: str) -> None:
    made = model(name).train()
    made(torch.rand(2, 640) - 0.5, torch.tensor([0, 1])).nll.mean().backward()
    assert made.encoder.strided[0].conv.weight.grad.any()


@pytest.mark.parametrize("name", DISCRETE)
def test_latents_that_are_no_numbers_make_no_error_of_their_own(name: str) -> None:
    # The training loop tells of a loss that is no number.
    made = model(name).bottleneck.train()
    assert not torch.isfinite(made(torch.full((2, 6, 5), torch.nan)).latents).all() or name in ("nvil", "vimco")


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_draws_are_of_the_posterior_and_the_same_each_time(name: str) -> None:
    made = model(name).bottleneck.eval()
    latents = 3 * torch.randn(2, 6, 50)
    drawn = made.drawn(latents, torch.Generator().manual_seed(1))
    again, other = (made.drawn(latents, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    assert torch.equal(drawn.latents, again.latents)
    assert torch.equal(drawn.latents, other.latents) == (drawn.kl is None)


@pytest.mark.parametrize("name", ["gumbel", "nvil", "vimco"])
def test_codes_are_drawn_as_often_as_the_posterior_says(name: str) -> None:
    made = model(name).bottleneck.eval()
    latents = torch.randn(1, 6, 1)
    drawn = made.drawn(latents.expand(1, 6, 20_000), torch.Generator().manual_seed(0))
    counts = torch.bincount(drawn.indices[0], minlength=8) / 20_000
    assert torch.allclose(counts, made.log_posterior(latents)[0, 0].exp(), atol=0.015)


@pytest.mark.parametrize("changes", [{}, {"normalise": "unit", "code_dim": 2}])
@pytest.mark.parametrize("name", DISCRETE)
def test_indices_say_all_that_the_decoder_sees(name: str, changes: dict[str, object]) -> None:
    made = model(name, **changes).bottleneck.eval()
    result = made(torch.randn(2, 6, 50))
    assert made.discrete
    assert result.indices.shape == (2, 50)
    assert result.indices.min() >= 0
    assert result.indices.max() < made.codes
    assert len(result.indices.unique()) > 2
    assert torch.allclose(made.lookup(result.indices), result.latents, atol=1e-5)
    assert result.metrics["distance"] > 0


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_evaluation_is_the_same_each_time_and_changes_nothing(name: str) -> None:
    made = model(name).bottleneck.eval()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    latents = torch.randn(2, 6, 50)
    assert torch.equal(made(latents).latents, made(latents).latents)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


@pytest.mark.parametrize("name", ["vae", "ae", "none"])
def test_continuous_ones_say_so(name: str) -> None:
    made = model(name).bottleneck
    assert not made.discrete
    assert made.codes == 1
    assert not made(torch.randn(2, 6, 5)).indices.any()


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("vq", "codes", 1),
        ("vimco", "draws", 1),
        ("gumbel", "temperature", 0.0),
        ("gumbel", "final_temperature", 0.0),
        ("fsq", "levels", (8, 1)),
        ("rvq", "stages", 0),
        ("rvq", "stages", 20),
        ("vae", "free_nats", -1.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, setting: str, value: object) -> None:
    with pytest.raises(ConfigError, match=setting):
        config(name, **{setting: value})
