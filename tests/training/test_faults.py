"""What befalls a training run, and that the same command with --resume ends where an undisturbed one does."""

import dataclasses
import multiprocessing
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from tests.speech import make_data_dir
from tests.tiny import TRAINING, tiny_config
from vqspeech.cli.train import main
from vqspeech.settings import to_dict
from vqspeech.training import loop
from vqspeech.training.checkpoint import newest_state
from vqspeech.training.log import read_metrics
from vqspeech.training.vqvae import VQVAETask

AT = 4
"""The step of the fault; there are checkpoints after 2, 4 and 6."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with data and the model of an undisturbed run, on one thread: with several not every bit is the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("work")
    make_data_dir(folder / "train")
    make_data_dir(folder / "dev", utterances=2)
    for workers in (0, 1):
        config = tiny_config(dataclasses.replace(TRAINING, workers=workers))
        (folder / f"{workers}.yaml").write_text(yaml.safe_dump(to_dict(config)))
    with pytest.MonkeyPatch.context() as patch:
        assert train(patch, folder, folder / "whole") == 0
    yield folder
    torch.set_num_threads(threads)


def train(patch: pytest.MonkeyPatch, work: Path, out: Path, *flags: str, workers: int = 0) -> int:
    """Run vqspeech-train; return its exit code."""
    files = {"--config": work / f"{workers}.yaml", "--train": work / "train", "--dev": work / "dev", "--out": out}
    words = [str(word) for pair in files.items() for word in pair]
    patch.setattr(sys, "argv", ["vqspeech-train", *words, "--accelerator", "cpu", *flags])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return ended.value.code


def befall(patch: pytest.MonkeyPatch, fault: Callable[[], object], at: int = AT) -> None:
    """Let a fault happen before a step."""
    before_step = VQVAETask.before_step

    def faulty(task: VQVAETask, step: int) -> None:
        if step == at:
            fault()
        before_step(task, step)

    patch.setattr(VQVAETask, "before_step", faulty)


def assert_as_undisturbed(work: Path, out: Path) -> None:
    """The resumed run in `out` has every bit of the undisturbed one."""
    assert (out / "model.safetensors").read_bytes() == (work / "whole/model.safetensors").read_bytes()
    ours, wanted = (load_file(newest_state(folder / "train")) for folder in (out, work / "whole"))
    assert ours.keys() == wanted.keys() and all(torch.equal(ours[name], wanted[name]) for name in ours)


def last_line(capfd: pytest.CaptureFixture[str]) -> str:
    err = capfd.readouterr().err
    assert "Traceback" not in err
    return err.splitlines()[-1]


def send(number: signal.Signals, times: int = 1) -> Callable[[], None]:
    def fault() -> None:
        for _ in range(times):
            # Unlike os.kill, to this thread: two to the process may come as one.
            signal.raise_signal(number)

    return fault


def out_of_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has ...")


HINT = "stopped after step 5: the same command with --resume, queued again, goes on from there"
FAULTS = {
    "SIGTERM": (send(signal.SIGTERM), 143, HINT, 5),
    "SIGTERM twice": (send(signal.SIGTERM, 2), 143, HINT, 5),
    "Ctrl-C": (send(signal.SIGINT), 130, "vqspeech-train: interrupted", 5),
    "Ctrl-C twice": (send(signal.SIGINT, 2), 130, "vqspeech-train: interrupted", 4),
    "out of memory": (out_of_memory, 1, "vqspeech-train: error: out of memory; smaller batches", 4),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_goes_on_after(
    name: str, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    fault, code, says, step = FAULTS[name]
    with monkeypatch.context() as patch:
        befall(patch, fault)
        assert train(patch, work, tmp_path / "out") == code
    assert last_line(capfd).startswith(says)
    assert newest_state(tmp_path / "out/train").stem == f"state-{step:06d}"
    assert train(monkeypatch, work, tmp_path / "out", "--resume") == 0
    assert_as_undisturbed(work, tmp_path / "out")


@pytest.mark.parametrize("again", [False, True])
def test_a_run_killed_in_an_evaluation_makes_up_for_it(
    again: bool, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluate, save_state = VQVAETask.evaluate, loop.save_state
    calls = []

    def killed(*arguments: object) -> object:
        calls.append(arguments)
        # The first evaluation, or the checkpoint after it.
        if len(calls) == (2 if again else 1):
            raise OSError("as if killed")
        return (save_state if again else evaluate)(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(*((loop, "save_state") if again else (VQVAETask, "evaluate")), killed)
        assert train(patch, work, tmp_path / "out") == 1
    assert train(monkeypatch, work, tmp_path / "out", "--resume") == 0
    assert_as_undisturbed(work, tmp_path / "out")
    steps = [
        [(line["split"], line["step"]) for line in read_metrics(folder / "train/metrics.jsonl")]
        for folder in (tmp_path / "out", work / "whole")
    ]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_lost_file_is_named_and_what_was_learnt_is_kept(
    workers: int, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wavs, hidden = work / "train-wav", work / "hidden"
    with monkeypatch.context() as patch:
        befall(patch, lambda: wavs.rename(hidden), at=1)
        code = train(patch, work, tmp_path / "out", workers=workers)
    hidden.rename(wavs)
    assert code == 1
    line = last_line(capfd)
    assert line.startswith("vqspeech-train: error: ") and f"cannot read {wavs}/" in line
    # Those that were read ahead have been used.
    assert newest_state(tmp_path / "out/train").stem >= "state-000002"
    assert train(monkeypatch, work, tmp_path / "out", "--resume") == 0
    assert_as_undisturbed(work, tmp_path / "out")


def test_a_killed_reader_ends_the_run_with_a_checkpoint(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fault() -> None:
        (reader,) = multiprocessing.active_children()
        reader.kill()
        time.sleep(0.5)  # its end is told within the step, where nobody should hear of it

    with monkeypatch.context() as patch:
        befall(patch, fault, at=1)
        assert train(patch, work, tmp_path / "out", workers=1) == 1
    assert last_line(capfd).startswith("vqspeech-train: error: a process that reads audio was killed")
    assert newest_state(tmp_path / "out/train").stem >= "state-000002"
    assert train(monkeypatch, work, tmp_path / "out", "--resume") == 0
    assert_as_undisturbed(work, tmp_path / "out")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_costs_nothing_that_was_saved(
    disk: Path, work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fill() -> None:
        with (disk / "filler").open("wb", buffering=0) as file:
            while file.write(bytes(2**16)):
                pass

    def fault() -> None:
        with pytest.raises(OSError, match="No space left"):
            fill()

    with monkeypatch.context() as patch:
        befall(patch, fault)
        assert train(patch, work, disk / "out") == 1
    line = last_line(capfd)
    assert line.startswith(f"vqspeech-train: error: {disk}/out/") and line.endswith(": No space left on device")
    (disk / "filler").unlink()
    assert newest_state(disk / "out/train").stem == "state-000004"
    assert train(monkeypatch, work, disk / "out", "--resume") == 0
    assert_as_undisturbed(work, disk / "out")


def test_a_read_only_place_is_told_before_any_work(
    disk: Path, work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    monkeypatch.setattr(VQVAETask, "before_step", lambda *_: pytest.fail("trained"))
    assert train(monkeypatch, work, disk / "out") == 1
    assert last_line(capfd) == f"vqspeech-train: error: {disk}/out: Read-only file system"
