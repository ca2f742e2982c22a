"""The whole recipe, on the shared tiny run and around it."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import soundfile

from tests.conftest import ROOT, TINY, Clone
from tests.speech import RATE, voice
from vqspeech import audio

Finished = tuple[Clone, subprocess.CompletedProcess[str]]
MADE = Path("recipes/vctk/exp/miniature_tiny")


def test_it_says_loudly_that_the_voices_are_synthetic_and_how_to_give_it_others(finished: Finished) -> None:
    _, ran = finished
    assert "MINIATURE OF SYNTHETIC VOICES" in ran.stdout
    assert "--corpus /path/to/VCTK" in ran.stdout


def test_it_leaves_units_voices_and_a_table(finished: Finished) -> None:
    clone, ran = finished
    for split in ("train", "dev", "test", "dev_unseen", "test_unseen"):
        units = (clone.path / MADE / "units" / split / "units.txt").read_text().splitlines()
        utterances = (clone.path / "recipes/vctk/data/miniature" / split / "utt2spk").read_text().splitlines()
        assert [line.split()[0] for line in units] == [line.split()[0] for line in utterances]
    wavs = list((clone.path / MADE / "wav").glob("*/*.wav"))
    assert {wav.parent.name for wav in wavs} >= {"source"}
    assert len({wav.parent.name for wav in wavs}) == 3
    assert all(soundfile.info(wav).frames > 0 for wav in wavs)

    # exp/RESULTS.md is the newest run's, perhaps that of another test by now.
    assert (clone.path / "recipes/vctk/exp/RESULTS.json").is_file()
    assert (clone.path / "recipes/vctk/exp/RESULTS.md").is_file()
    table = (clone.path / MADE / "results/RESULTS.md").read_text()
    assert table in ran.stdout
    (command,) = (line for line in table.splitlines()[:3] if line.endswith("bash recipes/vctk/run.sh"))
    given = dict(word.split("=", 1) for word in shlex.split(command)[:-2])
    said = ("VQSPEECH_MINIATURE_SPEAKERS", "VQSPEECH_MINIATURE_SENTENCES", "VQSPEECH_TRAIN_ARGS")
    assert given == {name: TINY[name] for name in (*said, "VQSPEECH_EVALUATE_ARGS")}
    results = json.loads((clone.path / MADE / "results/results.json").read_text())
    assert results["command"] == command
    assert results["bits"]["true"] > 0
    assert results["no_codes"]["step"] == results["model"]["steps"] == 6


def test_it_leaves_a_page_and_says_where(finished: Finished) -> None:
    clone, ran = finished
    (path,) = re.findall(r"on one page, to see and hear: (.*)", ran.stdout)
    assert Path(path) == clone.path / MADE / "report.html"
    page = Path(path).read_text()
    assert all(re.search(f"<{part}[ >]", page) for part in ("audio", "svg", "table"))
    # Nothing but the samples of a prior, which the recipe does not train, and the word error rate may be missing.
    assert re.findall('class="absent">(.{30})', page) == ["There are no samples of a prio"]


def test_the_command_that_it_gives_plays_a_wav_that_is_there(finished: Finished) -> None:
    clone, ran = finished
    (wav,) = re.findall(r"to hear one: ffplay -nodisp -autoexit '(.*)'", ran.stdout)
    assert clone.path / MADE / "wav" in Path(wav).parents
    assert Path(wav).is_file()
    assert not Path(wav).name.startswith(Path(wav).parent.name)


def test_every_log_opens_with_its_command_and_closes_with_its_time(finished: Finished) -> None:
    clone, _ = finished
    logs = list((clone.path / "recipes/vctk/exp").glob("*/log/*.log"))
    assert len(logs) >= 9
    for log in logs:
        lines = log.read_text().splitlines()
        assert re.match(r"# (vqspeech-\w+|local/\S+|python -m vqspeech\S+) ", lines[0]), log
        assert re.match(r"# Ended \(code 0\) at ", lines[-1]), log


def test_a_run_that_is_done_is_not_done_again_from_wherever_it_is_started(finished: Finished) -> None:
    clone, _ = finished
    before = (clone.path / MADE / "model.safetensors").stat().st_mtime_ns
    again = clone.run("bash ../recipes/vctk/run.sh", cwd=clone.path / "egs")
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("done already") == 8
    assert (clone.path / MADE / "model.safetensors").stat().st_mtime_ns == before


def test_a_model_trained_with_other_settings_is_not_overwritten(finished: Finished) -> None:
    clone, _ = finished
    before = (clone.path / MADE / "model.safetensors").read_bytes()
    ran = clone.recipe("--stage 2 --stop-stage 2 --train-args '--training.seed 5'")
    assert ran.returncode != 0
    assert "exp/miniature_tiny was trained with other settings" in ran.stderr
    assert (clone.path / MADE / "model.safetensors").read_bytes() == before
    assert "done already" in clone.recipe("--stage 2 --stop-stage 2").stdout


@pytest.fixture
def fresh(clone: Clone, tmp_path: Path) -> str:
    """Options for a run that shares nothing with the finished one; data and dump are named after the corpus."""
    corpus = tmp_path / f"a corpus of {tmp_path.name}"
    for speaker in ("anna", "ben"):
        (corpus / speaker).mkdir(parents=True)
    return f"--corpus '{corpus}' --expdir '{tmp_path / 'exp'}'"


def test_a_failing_stage_stops_the_run_and_shows_the_end_of_its_log(clone: Clone, fresh: str, tmp_path: Path) -> None:
    (corpus,) = tmp_path.glob("a corpus*")
    (corpus / "anna" / "one.wav").write_bytes(b"RIFF, but no more")
    ran = clone.recipe(fresh)
    assert ran.returncode != 0
    assert "stage 1, data directories" in ran.stdout
    assert "stage 2" not in ran.stdout
    assert "one.wav" in ran.stderr
    assert "# Ended (code 1)" in ran.stderr
    assert "stopped in stage 1" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus of its own name, of two speakers and no texts."""
    folder = tmp_path / f"corpus_{tmp_path.name}"
    for seed in range(6):
        audio.write(folder / f"spk{seed % 2}" / f"{seed}.wav", voice(120, 0.5, seed), RATE)
    return folder


def test_preparing_alone_shows_the_splits(clone: Clone, corpus: Path, tmp_path: Path) -> None:
    run = f"bash '{clone.path}/recipes/vctk/run.sh' --expdir '{tmp_path}/exp' --stop-stage 1"
    ran = clone.run(f"{run} --corpus .", cwd=corpus)
    assert ran.returncode == 0, ran.stderr
    assert re.search(r"^train: \d+ utterances, 2 speakers, ", ran.stdout, re.MULTILINE)
    made = clone.path / "recipes/vctk/data" / corpus.name / "splits.json"
    assert all(note in ran.stdout for note in json.loads(made.read_text())["notes"])
    assert "done already" in clone.run(f"{run} --corpus ../{corpus.name}/spk0/..", cwd=corpus).stdout


def test_what_was_made_of_a_corpus_is_not_overwritten_by_another(clone: Clone, corpus: Path, tmp_path: Path) -> None:
    options = f"--expdir '{tmp_path}/exp' --stop-stage 1 --corpus"
    assert clone.recipe(f"{options} '{corpus}'").returncode == 0
    made = clone.path / "recipes/vctk/data" / corpus.name / "splits.json"
    before = made.stat().st_mtime_ns
    other = shutil.copytree(corpus, tmp_path / "elsewhere" / corpus.name)
    for changed in (f"'{other}'", f"'{corpus}' --mic mic2"):
        ran = clone.recipe(f"{options} {changed}")
        assert ran.returncode == 1
        assert f"data/{corpus.name} is of another corpus or was prepared with other settings, or by" in ran.stderr
        assert ran.stderr.count("\n") == 1
    # Nor is what somebody prepared by hand, which no marker tells of.
    (made.parent.parent / f".{corpus.name}.done").unlink()
    assert clone.recipe(f"{options} '{corpus}'").returncode == 1
    assert made.stat().st_mtime_ns == before
    shutil.rmtree(made.parent)
    shutil.rmtree(clone.path / "recipes/vctk/dump" / corpus.name)
    assert clone.recipe(f"{options} '{other}'").returncode == 0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--stage two", "--stage is a whole number"),
        ("--corpus nowhere", "no folder --corpus"),
        ("--corpus . --download .", "either --corpus or --download"),
        ("--train-config nowhere.yaml", "no file --train-config nowhere.yaml"),
        ("--corpus recipes/vctk/dump/miniature", "lies where this recipe puts what it makes of a corpus"),
        ("--corpus recipes/vctk/data/miniature", "lies where this recipe puts what it makes of a corpus"),
        ("recordings", "options only, not 'recordings'"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_any_work(finished: Finished, options: str, complaint: str) -> None:
    clone, _ = finished
    ran = clone.recipe(options)
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_help_tells_every_option_with_its_default(clone: Clone) -> None:
    ran = clone.recipe("--help")
    assert ran.returncode == 0
    script = (ROOT / "recipes/vctk/run.sh").read_text()
    defaults = script[: script.index("help_message=")]
    for name in re.findall(r"^(\w+)=", defaults, re.MULTILINE):
        assert f"--{name.replace('_', '-')} " in ran.stdout


def test_the_validator_names_file_line_and_reason(finished: Finished, tmp_path: Path) -> None:
    clone, _ = finished
    good = "recipes/vctk/data/miniature/train"
    assert clone.run(f"recipes/utils/validate_data_dir.sh {good}").returncode == 0
    bad = tmp_path / "bad"
    clone.run(f"cp -r {good} '{bad}'")
    lines = (bad / "wav.scp").read_text().splitlines(keepends=True)
    (bad / "wav.scp").write_text("".join([lines[1], lines[0], *lines[2:]]))
    ran = clone.run(f"recipes/utils/validate_data_dir.sh '{bad}'")
    assert ran.returncode == 1
    assert f"{bad}/wav.scp:2: " in ran.stderr
