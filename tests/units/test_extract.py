from pathlib import Path

import numpy as np
import pytest

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model, tiny_config
from vqspeech import audio
from vqspeech.errors import VqspeechError
from vqspeech.hub import save_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.units.extract import extract_units
from vqspeech.units.store import read_units


def test_units_of_a_data_dir_and_what_they_are(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", seconds=0.11)
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    extract_units(codec, data, tmp_path / "units")
    back = read_units(tmp_path / "units")
    assert list(back.units) == data.utterances
    info = back.info
    assert (info["codes"], info["hop"], info["sample_rate"], info["rate"]) == (16, 64, 16000, 250.0)
    assert len(info["model_sha256"]) == 64
    expected = codec.encode(audio.read(data.wavs["a_001"], 16000), level=False)
    assert np.array_equal(back.units["a_001"], expected)


def test_a_bad_utterance_stops_or_is_counted(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", seconds=0.11)
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    data.wavs["a_001"].write_bytes(b"")
    with pytest.raises(VqspeechError, match=r"utterance a_001: .*empty file"):
        extract_units(codec, data, tmp_path / "units")
    assert not (tmp_path / "units").exists()
    extract_units(codec, data, tmp_path / "units", skip_bad=True)
    back = read_units(tmp_path / "units")
    assert "a_001" not in back.units and len(back.units) == 5
    assert list(back.info["skipped"]) == ["a_001"]


def test_other_units_are_replaced_only_when_forced(tmp_path: Path) -> None:
    test, dev = (make_data_dir(tmp_path / name, utterances=1, seconds=0.11) for name in ("test", "dev"))
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    extract_units(codec, test, tmp_path / "units")
    extract_units(codec, test, tmp_path / "units")  # the same once more
    with pytest.raises(VqspeechError, match="units of another model or of other data already; replace them with -f"):
        extract_units(codec, dev, tmp_path / "units")
    save_tiny_model(tmp_path / "retrained", ("p225", "p226", "p227"))
    retrained = vqspeech.load(tmp_path / "retrained")
    with pytest.raises(VqspeechError, match="units of another model"):
        extract_units(retrained, test, tmp_path / "units")
    assert read_units(tmp_path / "units").info["data"] == str(test.path)
    extract_units(retrained, test, tmp_path / "units", force=True)
    assert read_units(tmp_path / "units").info["model"] == str(tmp_path / "retrained")


def test_a_model_without_codes_is_refused(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", utterances=1, seconds=0.11)
    save_pretrained(tmp_path / "model", VQVAE(tiny_config(name="none").model, 2), ("a", "b"), {})
    with pytest.raises(VqspeechError, match="was trained without codes"):
        extract_units(vqspeech.load(tmp_path / "model"), data, tmp_path / "units")
