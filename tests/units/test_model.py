import hashlib
from dataclasses import asdict, make_dataclass, replace
from pathlib import Path

import pytest
import torch

import vqspeech
from tests.tiny import save_tiny_model
from vqspeech.codec import Codec
from vqspeech.config import BottleneckConfig, PriorConfig
from vqspeech.errors import VqspeechError
from vqspeech.hub import add_speaker
from vqspeech.models.prior import Autoregressive, Histogram
from vqspeech.units.model import check_model, model_sha256
from vqspeech.units.prior import Priors, check_prior


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model")
    return vqspeech.load(tmp_path / "model")


def priors_of(sha256: str) -> Priors:
    info = {"codes": 16, "model_sha256": sha256, "merged": False}
    return Priors(Histogram(16), Autoregressive(16, 2, PriorConfig(width=8, layers=1, heads=1)), ("a", "b"), info)


def test_a_voice_more_leaves_units_and_priors_as_good_as_they_were(
    codec: Codec, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_speaker(tmp_path / "model", tmp_path / "more", "alice", torch.zeros(4), None, {})
    more = vqspeech.load(tmp_path / "more")
    info = {"codes": 16, "hop": 64, "sample_rate": 16000, "model_sha256": model_sha256(codec)}
    check_model(more, info, tmp_path)
    check_prior(priors_of(model_sha256(codec)), model_sha256(more), tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("decoder.dilated", True),
        ("speakers.weight", True),
        ("bottleneck.codebook", False),
        ("encoder.strided.0.conv.weight", False),
    ],
)
def test_what_makes_other_codes_makes_another_hash(codec: Codec, name: str, same: bool) -> None:
    before = model_sha256(codec)
    codec.model.state_dict()[name].view(-1)[0] += 1
    assert (model_sha256(codec) == before) == same


def test_settings_count_but_not_those_that_a_later_version_adds(codec: Codec) -> None:
    before = model_sha256(codec)
    own = codec.config
    codec.config = replace(own, encoder=replace(own.encoder, dilations=(2,)))
    assert model_sha256(codec) != before
    later = make_dataclass("Later", [("new", int, 0)], bases=(BottleneckConfig,), frozen=True)
    codec.config = replace(own, bottleneck=later(**asdict(own.bottleneck)))
    assert model_sha256(codec) == before
    codec.config = replace(own, bottleneck=later(**asdict(own.bottleneck), new=1))
    assert model_sha256(codec) != before


def test_the_hash_that_earlier_versions_wrote_is_refused_in_the_usual_sentence(codec: Codec, tmp_path: Path) -> None:
    earlier = hashlib.sha256((tmp_path / "model" / "model.safetensors").read_bytes()).hexdigest()
    with pytest.raises(VqspeechError, match="was trained on the units of other weights than this model's: train one"):
        check_prior(priors_of(earlier), model_sha256(codec), tmp_path)
