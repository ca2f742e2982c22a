from pathlib import Path

import numpy as np
import pytest

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.errors import VqspeechError
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
