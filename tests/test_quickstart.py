import subprocess
import sys
from pathlib import Path

import soundfile

from tests.conftest import ROOT
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model


def test_the_quickstart_writes_voices_and_keeps_what_is_there(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model")
    soundfile.write(tmp_path / "a.wav", voice(100, 0.05, seed=0), RATE)
    (tmp_path / "a_p226.wav").write_text("precious")
    command = [sys.executable, str(ROOT / "egs/quickstart.py"), "model", "a.wav"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["a_p225.wav", "a_p226.wav (kept as it was)"]
    assert (tmp_path / "a_p226.wav").read_text() == "precious"
    assert soundfile.info(tmp_path / "a_p225.wav").frames > 0
