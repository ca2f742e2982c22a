import tracemalloc
from pathlib import Path

import pytest

from tests.little_memory import little_memory
from vqspeech.config import Config, PriorTraining
from vqspeech.errors import VqspeechError
from vqspeech.settings import ConfigError, from_dict, load_config, override, to_dict


def test_survives_the_dictionary() -> None:
    config = override(Config(), {"model.encoder.strides": "[2, 5]", "training.max_minutes": "5"})
    assert config.model.hop == 10
    assert config.training.max_minutes == 5.0
    assert from_dict(Config, to_dict(config)) == config


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("model: {encodr: {}}", "unknown setting 'encodr'; did you mean encoder"),
        ("training: {learning_rte: 1}", "training: unknown setting 'learning_rte'; did you mean learning_rate"),
        ("training: {batch_size: many}", "batch_size: expected int, found 'many'"),
        ("training: {batch_size: true}", "batch_size: expected int, found True"),
        ("model: {bottleneck: {name: vqq}}", "name: 'vqq' is not one of vq, nsvq, "),
        ("model: {encoder: {strides: 64}}", "strides: expected a list, found 64"),
        ("- 1", "expected settings"),
        ("a: [", "not YAML"),
        ("a: !!bool x", "not YAML"),
        ("a: !!int ''", "not YAML"),
        ("a: !!timestamp x", "not YAML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, yaml: str, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(yaml)
    with pytest.raises(ConfigError) as caught:
        load_config(path, Config)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(VqspeechError, match=r"none.yaml"):
        load_config(tmp_path / "none.yaml", Config)


@pytest.mark.parametrize("key", ["training.max_minute", "trainin.seed", "seed", "training.seed.x", "model"])
def test_an_override_of_nothing_is_refused(key: str) -> None:
    with pytest.raises(ConfigError):
        override(Config(), {key: "1"})


def test_a_file_that_sets_one_thing_leaves_the_defaults_of_its_place(tmp_path: Path) -> None:
    (tmp_path / "prior.yaml").write_text("training: {max_steps: 7}")
    loaded = load_config(tmp_path / "prior.yaml", PriorTraining)
    assert loaded.training.max_steps == 7
    assert loaded.training.crop == PriorTraining().training.crop != Config().training.crop


@pytest.mark.parametrize("text", ["!!bool x", "!!int ''", "["])
def test_an_override_that_is_no_yaml_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--training\.seed: .* is not a YAML value"):
        override(Config(), {"training.seed": text})


def test_merges_that_double_with_every_line_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))]
    (tmp_path / "laughs.yaml").write_text("\n".join(lines))
    with little_memory(), pytest.raises(ConfigError, match="a mapping of more than 10000 keys"):
        load_config(tmp_path / "laughs.yaml", Config)


def test_aliases_that_unfold_without_end_are_no_trouble(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    path = tmp_path / "laughs.yaml"
    for wanted in ("training: *a29", "model: {encoder: {strides: *a29}}", "model: {bottleneck: {name: *a29}}"):
        path.write_text("\n".join([*lines, wanted]))
        with pytest.raises(ConfigError) as caught:
            load_config(path, Config)
        assert len(str(caught.value)) < 1000
    for endless in ("[" * 100_000, "model: {sample_rate: " + "9" * 5000 + "}"):
        path.write_text(endless)
        with pytest.raises(ConfigError):
            load_config(path, Config)


def test_merges_are_counted_before_they_are_made(tmp_path: Path) -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(9000))
    (tmp_path / "bomb.yaml").write_text(f"a: &a {{{keys}}}\nb:\n  <<: [{', '.join(['*a'] * 30_000)}]\n")
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="a mapping of more than 10000 keys"):
            load_config(tmp_path / "bomb.yaml", Config)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
