import dataclasses
from pathlib import Path

import pytest

from vqspeech.config import BottleneckConfig, Config
from vqspeech.settings import ConfigError, load_config

SHIPPED = sorted((Path(__file__).parents[1] / "recipes/vctk/conf").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_builds_its_model(path: Path) -> None:
    import torch

    from vqspeech.models.vqvae import VQVAE

    config = load_config(path, Config)
    with torch.device("meta"):
        model = VQVAE(config.model, speakers=2)
    assert model.decoder.receptive_field > 1000
    expected = {"units50": 320, "units25": 640}.get(path.stem, 64)
    assert config.model.hop == expected


def test_the_shipped_configs_are_those_that_are_documented() -> None:
    assert {path.stem for path in SHIPPED} == {"tiny", "base", "paper", "units50", "units25", "box", "compare"}


def test_every_setting_has_a_docstring() -> None:
    source = (Path(__file__).parents[1] / "vqspeech/config.py").read_text()
    for cls in (type(getattr(Config(), f.name)) for f in dataclasses.fields(Config)):
        for entry in dataclasses.fields(cls):
            line = next(i for i, text in enumerate(source.splitlines()) if text.strip().startswith(f"{entry.name}:"))
            if not dataclasses.is_dataclass(entry.type):
                assert source.splitlines()[line + 1].strip().startswith('"""'), entry.name


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"dim": 2}, "dim: 2 values of zero mean and unit variance say at most one bit"),
        ({"name": "ae", "dim": 1}, "dim: 1 values"),
        ({"code_dim": 2}, "code_dim: 2 values"),
        ({"code_dim": 1, "normalise": "unit"}, "code_dim: 1 value of unit length says one bit"),
        ({"name": "vimco", "kl": 0.1}, "kl: the bound of vimco has no divergence to weigh"),
        ({"name": "gumbel", "temperature": 0.4}, "final_temperature: 0.5 is above temperature 0.4"),
    ],
)
def test_settings_that_leave_codes_nothing_to_say_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        BottleneckConfig(**settings)
    # Nor do they concern bottlenecks that compare no distances.
    BottleneckConfig(**{**settings, "name": "fsq"})
