"""The experiments in recipes/vctk/local, cut down to a few steps, on the miniature that the recipe has prepared."""

import json
import subprocess

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
    settings = (clone.path / "recipes/vctk/exp/ablation/without-restart-1/config.json").read_text()
    assert json.loads(settings)["model"]["bottleneck"]["restart"] == 0


def test_a_run_that_fails_is_named_with_the_end_of_its_log(finished: Finished) -> None:
    clone, _ = finished
    ran = clone.run(
        "bash recipes/vctk/local/ablation.sh --expdir exp/failing --steps 6 --train-args '--training.batch_size 0'"
    )
    assert ran.returncode == 1
    assert "batch_size" in ran.stderr
    assert "stopped in stage 0, all, seed 1" in ran.stderr
