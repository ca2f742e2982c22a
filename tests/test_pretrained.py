"""The model that comes with the package."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import vqspeech
from tests.speech import RATE, voice
from vqspeech.lookup import BOX

VOICES = ("p225", "p226", "p227", "p228", "bdl", "slt", "kathleen")


@pytest.fixture(autouse=True)
def no_other_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VQSPEECH_MODEL", raising=False)


def test_a_stranger_is_converted_without_a_model_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(120, 0.3, seed=0), RATE)
    codec = vqspeech.load()
    assert codec.speakers == VOICES
    codec.convert_file(tmp_path / "a.wav", "p225", tmp_path / "b.wav")
    converted, _ = soundfile.read(tmp_path / "b.wav")
    assert len(converted) == round(0.3 * RATE)
    assert np.abs(converted).max() > 0.01


def test_it_is_small_and_names_no_folder_of_the_machine_that_made_it() -> None:
    assert sum(file.stat().st_size for file in BOX.iterdir()) < 12e6
    assert '"/' not in (BOX / "config.json").read_text(encoding="utf-8")


def test_its_card_names_what_it_learnt_from() -> None:
    card = (BOX / "README.md").read_text(encoding="utf-8")
    for name in (*VOICES, "CMU ARCTIC", "VCTK", "LibriSpeech", "speechocean762", "CC BY 4.0", "CC0", "synthetic"):
        assert name in card
