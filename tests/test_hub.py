import json
import subprocess
import sys
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch

from tests.little_memory import little_memory
from tests.tiny import save_tiny_model
from vqspeech.config import BottleneckConfig
from vqspeech.errors import VqspeechError
from vqspeech.hub import from_pretrained
from vqspeech.synthesis import sample


@pytest.mark.parametrize("name", sorted(get_args(get_type_hints(BottleneckConfig)["name"])))
def test_a_model_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    model = save_tiny_model(tmp_path, name=name)
    loaded = from_pretrained(tmp_path)
    assert loaded.speakers == ("p225", "p226")
    assert loaded.config == model.config
    assert model.state_dict().keys() == loaded.model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.model.state_dict()[key])
    waveform, speaker = torch.rand(1, 64 * 9) - 0.5, torch.tensor([1])
    before, after = model.encode(waveform), loaded.model.encode(waveform)
    assert torch.equal(before.latents, after.latents)
    if model.bottleneck.discrete:
        assert torch.equal(before.indices, after.indices)
        assert torch.allclose(loaded.model.bottleneck.lookup(after.indices), after.latents, atol=1e-5)
    spoken = [sample(made.decoder, made.conditioning(before.latents, speaker)) for made in (model, loaded.model)]
    assert torch.equal(*spoken)


@pytest.mark.parametrize("name", ["vq", "fsq"])
def test_pytorchs_compiler_is_not_loaded_with_a_model(tmp_path: Path, name: str) -> None:
    save_tiny_model(tmp_path, name=name)
    load = "import sys, vqspeech; vqspeech.load(sys.argv[1]); assert not {'sympy', 'torch._dynamo'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", load, str(tmp_path)], check=True)


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
        ({"speakers": ["a", "../b"]}, r"unsafe id '\.\./b'"),
        ({"speakers": ["a", 2]}, "damaged"),
        ({"speakers": None}, "damaged"),
        ({"notes": 5}, "damaged"),
        ({"notes": {"temperature": "warm"}}, "damaged"),
        ({"notes": {"temperature": "1"}}, "damaged"),
        ({"notes": {"temperature": float("nan")}}, "damaged"),
        ({"notes": {"temperature": 10**400}}, "damaged"),
        ({"model": {"sample_rate": 10**12}}, "is above 768000"),
        ({"model": {"decoder": {"cycle": 10**6}}}, "is above 16"),
        ({"model": {"decoder": {"layers": 10**9}}}, "is above 1000"),
        ({"model": {"decoder": {"residual": 10**6, "skip": 10**6}}}, "tells of [0-9]{12,} weights"),
        ({"model": {"encoder": {"hidden": 10**7}}}, "tells of [0-9]{12,} weights"),
        ({"model": {"encoder": {"hidden": 2**62}}}, "tells of weights beyond measure"),
        ({"model": {"encoder": {"hidden": 10**30}}}, "tells of weights beyond measure"),
        ({"model": {"encoder": {"strides": [2**16] * 5}}}, "tells of weights beyond measure"),
    ],
)
def test_a_folder_that_does_not_fit_is_named(tmp_path: Path, change: dict, message: str) -> None:
    save_tiny_model(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | change))
    with little_memory(), pytest.raises(VqspeechError, match=message) as caught:
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


def test_json_without_end_is_damage(tmp_path: Path) -> None:
    save_tiny_model(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(VqspeechError, match=r"config.json: damaged"):
        from_pretrained(tmp_path)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    save_tiny_model(tmp_path)
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    for content in (len(header).to_bytes(8, "little") + header, (2**60).to_bytes(8, "little") + header):
        (tmp_path / "model.safetensors").write_bytes(content + bytes(10**6))
        with little_memory(), pytest.raises(VqspeechError, match=r"model.safetensors: damaged"):
            from_pretrained(tmp_path)
