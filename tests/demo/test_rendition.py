from pathlib import Path

import numpy as np
import pytest
import soundfile

import vqspeech
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.demo.rendition import LONGEST_SECONDS, render
from vqspeech.errors import VqspeechError


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder)
    return vqspeech.load(folder)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([voice(120, 0.3, seed=0)] * 2, axis=1), RATE)
    return path


def test_copy_and_conversion_are_what_the_command_converts_to(codec: Codec, recording: Path, tmp_path: Path) -> None:
    made = render(codec, recording, "p225", "p226")
    for speaker, waveform in (("p225", made.copy), ("p226", made.conversion)):
        codec.convert_file(recording, speaker, tmp_path / "out.wav")
        assert np.array_equal(waveform, audio.read(tmp_path / "out.wav", RATE))
    assert np.array_equal(made.source, audio.read(recording, RATE))
    assert made.units.tolist() == codec.encode(made.source).tolist()
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "out.wav"}


def test_one_voice_may_speak_both(codec: Codec, recording: Path) -> None:
    made = render(codec, recording, "p226", "p226")
    assert np.array_equal(made.copy, made.conversion)


@pytest.mark.parametrize(
    ("waveform", "says"),
    [
        (np.full(round((LONGEST_SECONDS + 0.1) * RATE), 0.1), r"a\.wav: longer than 20 s; cut it"),
        (voice(120, 0.09, seed=0), r"a\.wav: shorter than 0\.1 s$"),
        (1e-4 * voice(120, 1, seed=0), r"a\.wav: silent; nothing in it is louder than -60 dBFS$"),
        (np.zeros(RATE), r"a\.wav: silent"),
    ],
)
def test_what_cannot_be_shown_is_refused(codec: Codec, tmp_path: Path, waveform: np.ndarray, says: str) -> None:
    soundfile.write(tmp_path / "a.wav", waveform, RATE)
    with pytest.raises(VqspeechError, match=says):
        render(codec, tmp_path / "a.wav", "p225", "p226")
