"""Every command of the READMEs, as written, on tiny corpora and models; installs and downloads are left out."""

import re
import shutil
from pathlib import Path

import pytest
import soundfile

from tests.conftest import ROOT, Clone
from tests.serving import serving
from tests.speech import RATE, voice

LEFT_OUT = r"pip install|\. \.venv|VQSPEECH_TORCH_INDEX|--download|make test|bash recipes/vctk/run\.sh$"
"""Installs and downloads; this test suite itself; the run that the fixture `finished` has made."""
SECONDS = 1.3


def commands(readme: str) -> list[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / readme).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture
def recordings(finished: tuple[Clone, object]) -> Path:
    """The clone, with the recordings that the README's examples name: short ones, from the miniature."""
    clone, _ = finished
    miniature = clone.path / "recipes/vctk/downloads/miniature"
    vctk = clone.path / "VCTK-Corpus-0.92"
    shutil.copytree(miniature, vctk, ignore=shutil.ignore_patterns("phones"))
    for path in vctk.glob("wav48_silence_trimmed/*/*.flac"):
        waveform, rate = soundfile.read(path)
        waveform = waveform[: round(SECONDS * rate)]
        soundfile.write(path, waveform, rate)
        own = clone.path / "my-recordings" / path.parent.name / f"{path.stem}.wav"
        own.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(own, waveform, rate)
    alice = clone.path / "recordings-of-alice"
    alice.mkdir()
    for seed in range(3):
        soundfile.write(alice / f"{seed}.wav", voice(200, 11, seed), RATE)
    shutil.copy(next((clone.path / "my-recordings").glob("*/*.wav")), clone.path / "a.wav")
    return clone.path


def test_every_command_of_the_readme(finished: tuple[Clone, object], recordings: Path) -> None:
    clone, _ = finished
    exports = ""
    ran = []
    for command in commands("README.md"):
        if re.search(LEFT_OUT, command):
            continue
        if command.startswith("vqspeech-demo"):
            # It goes on until it is ended.
            with serving(["bash", "-c", exports + command], clone.path, clone.environment) as served:
                assert served.address == "http://127.0.0.1:7860"
            ran.append(command)
            continue
        result = clone.run(exports + command)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        if command.startswith("export "):
            exports += f"{command}\n"
        ran.append(command)
    assert len(list(recordings.glob("converted/x0[23]/*/*.opus"))) == 2 * len(
        list(recordings.glob("my-recordings/*/*.wav"))
    )
    assert soundfile.info(recordings / "b.wav").samplerate == 16000
    assert soundfile.info(recordings / "a_alice.wav").duration == pytest.approx(SECONDS, abs=0.001)
    assert any("VCTK-Corpus-0.92" in command for command in ran)
    assert "vqspeech-demo" in ran
    assert soundfile.info(recordings / "a_x03.wav").duration == pytest.approx(SECONDS, abs=0.001)
    assert (recordings / "units/units.txt").read_text().count("\n") > 1
    assert len(list(recordings.glob("voices/x03/*.wav"))) == 1
    assert "<audio " in (recordings / "page.html").read_text()
    assert (recordings / "recipes/vctk/exp/VCTK-Corpus-0.92_base/model.safetensors").exists()


@pytest.mark.parametrize(
    "readme",
    [
        "README.md",
        "recipes/vctk/README.md",
        "docs/architecture.md",
        "docs/units.md",
        "docs/bottlenecks.md",
        "docs/conversion.md",
        "docs/evaluation.md",
        "docs/performance.md",
        "docs/pretrained.md",
        "docs/reliability.md",
        "docs/scale.md",
        "egs/downstream_asr/README.md",
        "vqspeech/pretrained/README.md",
    ],
)
def test_every_link_leads_somewhere(readme: str) -> None:
    text = (ROOT / readme).read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (ROOT / readme).parent.joinpath(link).exists(), link


def test_every_option_of_the_recipe_that_a_readme_names_exists() -> None:
    known = set(re.findall(r"--[a-z-]+", (ROOT / "recipes/vctk/run.sh").read_text(encoding="utf-8")))
    for command in commands("README.md"):
        if "run.sh" in command:
            assert set(re.findall(r"(?<![\w.])--[a-z-]+", command)) <= known, command
