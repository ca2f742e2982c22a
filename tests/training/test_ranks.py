"""Training in two processes: the same as in one, ended together, and gone on with by any number of them."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.faulty_ranks import STEP
from tests.speech import make_data_dir
from tests.tiny import TRAINING, tiny_config
from vqspeech.settings import to_dict
from vqspeech.training.checkpoint import newest_state
from vqspeech.training.log import read_metrics
from vqspeech.training.ranks import started_ranks, starter
from vqspeech.training.vqvae import train

SETTINGS = dataclasses.replace(TRAINING, batch_size=4, log_every=1)
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, a configuration with all that is drawn, and the model of one undisturbed process."""
    folder = tmp_path_factory.mktemp("work")
    # Shorter than a crop, so that the ranks have unequally many samples.
    make_data_dir(folder / "train", seconds=0.03)
    make_data_dir(folder / "dev", utterances=2)
    config = tiny_config(SETTINGS, jitter=0.2, ema_decay=0.5, restart=0.5)
    (folder / "config.yaml").write_text(yaml.safe_dump(to_dict(config)))
    train(config, folder / "train", folder / "dev", folder / "alone", accelerator="cpu")
    return folder


def run(work: Path, out: Path, *flags: str, start: list[str], fault: str = "") -> subprocess.CompletedProcess[str]:
    """Run vqspeech-train, started so, in a process group of its own."""
    files = {"--config": work / "config.yaml", "--train": work / "train", "--dev": work / "dev", "--out": out}
    words = [str(word) for pair in files.items() for word in pair]
    return subprocess.run(
        [sys.executable, *start, *words, "--accelerator", "cpu", *flags],
        cwd=ROOT,
        env=os.environ | {"FAULT": fault, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        start_new_session=True,
    )


def losses(folder: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(folder / "train/metrics.jsonl") if line["split"] == "train"]


def assert_as_alone(work: Path, out: Path) -> None:
    """The run in `out` has the loss curve and the codes of one process, within rounding."""
    assert losses(out) == pytest.approx(losses(work / "alone"), rel=1e-5)
    ours, wanted = (load_file(newest_state(folder / "train")) for folder in (out, work / "alone"))
    for name in ("codebook", "usage"):
        name = f"module.model.bottleneck.{name}"
        assert ours[name].flatten().tolist() == pytest.approx(wanted[name].flatten().tolist(), rel=1e-3, abs=1e-5)


def test_two_ranks_under_torchrun_train_as_one(work: Path, tmp_path: Path) -> None:
    ran = run(work, tmp_path / "out", start=[*TORCHRUN, "-m", "vqspeech.cli.train"])
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"{tmp_path / 'out'}\n"
    assert len(losses(tmp_path / "out")) == SETTINGS.max_steps
    assert_as_alone(work, tmp_path / "out")


@pytest.mark.parametrize(("whom", "ranks_then"), [("self", 1), ("all", 2)])
def test_sigterm_to_one_rank_or_all_ends_them_after_the_same_step(
    work: Path, tmp_path: Path, whom: str, ranks_then: int
) -> None:
    out = tmp_path / "out"
    ran = run(work, out, "--devices", "2", start=["-m", "tests.faulty_ranks"], fault=f"SIGTERM {whom}")
    assert ran.returncode == 128 + signal.SIGTERM, ran.stderr
    (told,) = (line for line in ran.stderr.splitlines() if line.startswith("stopped after step"))
    step = int(told.removeprefix("stopped after step ").partition(":")[0])
    assert step > STEP
    assert newest_state(out / "train").stem == f"state-{step:06d}"
    assert "Traceback" not in ran.stderr
    if ranks_then == 1:
        resume(work, out)
    else:
        assert run(work, out, "--resume", "--devices", "2", start=["-m", "vqspeech.cli.train"]).returncode == 0
    assert_as_alone(work, out)


@pytest.mark.parametrize("start", [["-m", "tests.faulty_ranks"], [*TORCHRUN, "-m", "tests.faulty_ranks"]])
def test_a_rank_that_dies_ends_the_run_with_a_message(work: Path, tmp_path: Path, start: list[str]) -> None:
    flags = [] if "--standalone" in start else ["--devices", "2"]
    ran = run(work, tmp_path / "out", *flags, start=start, fault="SIGKILL self")
    assert ran.returncode == 1
    assert "vqspeech-train: error: rank 0 lost another process of this training" in ran.stderr
    assert newest_state(tmp_path / "out/train").stem == f"state-{STEP:06d}"
    resume(work, tmp_path / "out")
    assert_as_alone(work, tmp_path / "out")


def test_under_torchrun_the_number_of_ranks_is_torchruns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert started_ranks(devices=3, nodes=1) == (3, 1)
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8"}.items():
        monkeypatch.setenv(name, value)
    assert started_ranks(devices=1, nodes=1) == (4, 2)


@pytest.mark.parametrize(("tasks", "ours"), [("", True), ("1", True), ("2", False)])
def test_in_a_slurm_job_of_one_task_the_ranks_are_ours_to_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tasks: str, ours: bool
) -> None:
    (tmp_path / "srun").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    if tasks:
        monkeypatch.setenv("SLURM_NTASKS", tasks)
    assert bool(starter()) == ours
    monkeypatch.setenv("PATH", "")
    assert not starter()


def resume(work: Path, out: Path) -> None:
    """Go on with one process."""
    config = tiny_config(SETTINGS, jitter=0.2, ema_decay=0.5, restart=0.5)
    train(config, work / "train", work / "dev", out, resume=True, accelerator="cpu")
