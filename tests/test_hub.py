import json
from pathlib import Path

import pytest
import torch

from tests.tiny import save_tiny_model
from vqspeech.errors import VqspeechError
from vqspeech.hub import from_pretrained


def test_a_model_comes_back_as_it_was(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path)
    loaded = from_pretrained(tmp_path)
    assert loaded.speakers == ("p225", "p226")
    assert loaded.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[name])


def test_the_weights_are_named_tensors_of_safetensors(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    save_tiny_model(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) >= {"bottleneck.codebook", "speakers.weight"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "written in model format 99"),
        ({"format": None}, "written in model format None"),
        ({"model": {"encodr": {}}}, "unknown setting 'encodr'"),
        ({"speakers": ["a", "b", "c"]}, "damaged or not of this config.json"),
    ],
)
def test_a_folder_that_does_not_fit_is_named(tmp_path: Path, change: dict, message: str) -> None:
    save_tiny_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(VqspeechError, match=message) as caught:
        from_pretrained(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_or_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    save_tiny_model(tmp_path)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(VqspeechError, match=f"{name}: damaged"):
        from_pretrained(tmp_path)
    file.unlink()
    with pytest.raises(VqspeechError, match=f"not a model folder: it has no {name}"):
        from_pretrained(tmp_path)


def test_a_folder_from_before_the_third_kind_of_normalisation_is_read(tmp_path: Path) -> None:
    save_tiny_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for written, meant in ((True, "frame"), (False, "none")):
        config["model"]["bottleneck"]["normalise"] = written
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert from_pretrained(tmp_path).config.bottleneck.normalise == meant
