"""The experiments in recipes/vctk/local, cut down to a few steps, on the miniature that the recipe has prepared."""

import json
import shlex
import subprocess

import soundfile

from tests.conftest import Clone

FEW = "--training.max_steps 6 --training.eval_every 3 --model.bottleneck.start_steps 2 --model.decoder.layers 2"
Finished = tuple[Clone, subprocess.CompletedProcess[str]]


def test_bottlenecks_are_compared_in_one_table(finished: Finished) -> None:
    clone, _ = finished
    command = (
        "bash recipes/vctk/local/compare_bottlenecks.sh --names 'vae rvq' --seeds 1 --minutes 0 "
        f"--prior-args '--training.max_steps 2 --training.crop 64' --train-args '{FEW}'"
    )
    ran = clone.run(command)
    assert ran.returncode == 0, ran.stderr
    rows = {line.split(" | ")[0]: line.split(" | ")[1:] for line in ran.stdout.splitlines() if line.startswith("| `")}
    assert set(rows) == {"| `vae`", "| `rvq`"}
    # Bits with the code's own, under three priors; a normal one stands with those that are given beforehand.
    assert all(float(cell) > 0 for cell in rows["| `rvq`"][:4])
    assert rows["| `vae`"][2:4] == ["-", "-"]
    folder = clone.path / "recipes/vctk/exp/bottlenecks"
    assert (folder / "bottlenecks.png").stat().st_size > 0
    assert (folder / "bottlenecks.md").read_text() in ran.stdout
    again = clone.run(command)
    assert again.stdout.count("done already") == 2
    other = clone.run(command.replace("max_steps 6", "max_steps 7"))
    assert other.returncode == 1
    assert "vae-1 was made with other settings: remove it" in other.stderr


def test_each_safeguard_is_turned_off(finished: Finished) -> None:
    clone, _ = finished
    ran = clone.run(f"bash recipes/vctk/local/ablation.sh --names restart --steps 6 --codes 16 --train-args '{FEW}'")
    assert ran.returncode == 0, ran.stderr
    lines = (clone.path / "recipes/vctk/exp/ablation/ablation.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| all", "| without-restart", "| none"]
    assert all("of 16" in line for line in lines[2:])
    folder = clone.path / "recipes/vctk/exp/ablation"
    found = {name: json.loads((folder / f"{name}-1/config.json").read_text())["model"] for name in ("all", "none")}
    settings = json.loads((folder / "without-restart-1/config.json").read_text())["model"]
    changed = {**found["all"]["bottleneck"], "restart": 0.0}
    assert settings["bottleneck"] == changed and settings["decoder"] == found["all"]["decoder"]
    none, off = found["none"]["bottleneck"], {"kmeans": False, "codebook": "loss", "restart": 0.0}
    assert {**none, **off, "normalise": "none", "jitter": 0.0} == none
    assert found["none"]["decoder"]["past_dropout"] == 0 < found["all"]["decoder"]["past_dropout"]
    unknown = clone.run("bash recipes/vctk/local/ablation.sh --expdir exp/unknown --names warm-up")
    assert (unknown.returncode, "no safeguard warm-up" in unknown.stderr) == (2, True)
    assert not (clone.path / "recipes/vctk/exp/unknown").exists()


def test_a_run_that_fails_is_named_with_the_end_of_its_log(finished: Finished) -> None:
    clone, _ = finished
    ran = clone.run(
        "bash recipes/vctk/local/ablation.sh --expdir exp/failing --steps 6 --train-args '--training.batch_size 0'"
    )
    assert ran.returncode == 1
    assert "batch_size" in ran.stderr
    assert "stopped in stage 0, all, seed 1" in ran.stderr


def test_conversions_are_scored_and_an_interrupted_run_goes_on(finished: Finished) -> None:
    clone, _ = finished
    command = (
        "bash recipes/vctk/local/score_conversion.sh --model exp/miniature_tiny --targets x02,x03 --conversions 3 "
        "--parallel 1 --decode-args '--seed 1'"
    )
    ran = clone.run(command)
    assert ran.returncode == 0, ran.stderr
    folder = clone.path / "recipes/vctk/exp/conversion"
    page = (folder / "score_conversion.md").read_text()
    assert page in ran.stdout
    assert shlex.split(page.splitlines()[1]) == shlex.split(command)
    results = json.loads((folder / "score_conversion.json").read_text())
    assert {target: scores["samples"] for target, scores in results["targets"].items()} == {"x02": 2, "x03": 2}
    assert {"conversions", "untouched", "copies", "mu_law"} <= results["systems"].keys()
    assert "fetch_judges.sh" in results["missing"]["opinions"]
    sources = dict(line.split(maxsplit=1) for line in (folder / "sources/wav.scp").read_text().splitlines())
    wavs = sorted((folder / "wav").glob("x0[23]/*.wav"))
    assert len(wavs) >= 4
    for wav in wavs:
        # The last frame of 64 samples is whole.
        assert 0 <= soundfile.info(wav).frames - soundfile.info(sources[wav.stem]).frames < 64

    wavs[0].unlink()
    made = wavs[1].stat().st_mtime_ns
    for stage in (".conversion", ".judges"):
        (folder / f"{stage}.done").rename(folder / f"{stage}.begun")
    again = clone.run(f"{command} --stop-stage 1")
    assert again.stdout.count("done already") == 1, again.stderr
    assert wavs[0].is_file()
    assert wavs[1].stat().st_mtime_ns == made

    other = clone.run(command.replace("--conversions 3", "--conversions 5"))
    assert other.returncode == 1
    assert "was made with other settings, or by something else: remove it" in other.stderr
    assert clone.run(f"{command} --model exp/none").returncode == 2


def test_the_box_is_trained_on_phones_first_and_without_who_is_left_out(finished: Finished) -> None:
    clone, _ = finished
    few = f"{FEW} --training.max_steps 4 --training.eval_every 2 --training.voices [x02] --training.crop 1280"
    command = (
        "bash recipes/vctk/local/train_box.sh --data data/miniature --phone-minutes 0 --minutes 0 --leave-out x03 "
        f"--speakers x02 --train-args '{few}'"
    )
    ran = clone.run(command)
    assert ran.returncode == 0, ran.stderr
    folder = clone.path / "recipes/vctk/exp/box"
    assert "x03" not in (folder / "data/train/spk2utt").read_text()
    assert len((folder / "data/train/utt2spk").read_text().splitlines()) > 0
    phones, packed = (json.loads((folder / name / "config.json").read_text()) for name in ("phones", "packed"))
    assert phones["notes"]["training"]["phones_alone"] and not packed["notes"]["training"]["phones_alone"]
    assert packed["speakers"] == ["x02"]
    again = clone.run(command)
    assert again.stdout.count("done already") == 2
