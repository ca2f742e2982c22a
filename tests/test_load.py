"""The Python interface as its docstring shows it."""

from pathlib import Path

import docstring_parser
import pytest
import soundfile

import vqspeech
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech import lookup
from vqspeech.errors import VqspeechError


@pytest.fixture(autouse=True)
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VQSPEECH_MODEL", raising=False)
    monkeypatch.setattr(lookup, "BOX", tmp_path / "pretrained")
    soundfile.write("a.wav", voice(100, 0.1, seed=0), RATE)


def test_the_example_works_as_pasted(monkeypatch: pytest.MonkeyPatch):
    (example,) = docstring_parser.parse(vqspeech.load.__doc__).examples
    assert len(example.description.splitlines()) == 3
    save_tiny_model(Path("model"))
    monkeypatch.setenv("VQSPEECH_MODEL", "model")
    exec(example.description, {})
    assert soundfile.info("a_p225.wav").frames == RATE // 10


def test_without_a_name_it_is_the_model_in_the_package():
    with pytest.raises(VqspeechError, match="none comes with this vqspeech"):
        vqspeech.load()
    save_tiny_model(Path("pretrained"))
    assert vqspeech.load().speakers == ("p225", "p226")
