import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

RUN_JOB = [sys.executable, str(ROOT / "recipes/utils/run_job.py")]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN_JOB, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_the_log_opens_with_the_command_and_closes_with_the_time(tmp_path: Path) -> None:
    log = tmp_path / "a folder" / "log"
    ran = run(log, "bash", "-c", "echo said; echo complained >&2")
    assert ran.returncode == 0
    lines = log.read_text().splitlines()
    assert lines[0] == "# bash -c 'echo said; echo complained >&2'"
    assert lines[1].startswith("# Started at ")
    assert lines[3:5] == ["said", "complained"]
    assert lines[-1].startswith("# Ended (code 0) at ")
    assert list(log.parent.iterdir()) == [log]


def test_an_array_of_jobs_counts_in_log_and_arguments(tmp_path: Path) -> None:
    assert run("JOB=2:4", tmp_path / "y.JOB.log", "echo", "part JOB").returncode == 0
    logs = sorted(tmp_path.iterdir())
    assert [log.name for log in logs] == ["y.2.log", "y.3.log", "y.4.log"]
    assert [log.read_text().splitlines()[3] for log in logs] == ["part 2", "part 3", "part 4"]


def test_without_an_array_job_is_a_word_like_others(tmp_path: Path) -> None:
    assert run(tmp_path / "JOB.log", "echo", "JOB").returncode == 0
    assert "\nJOB\n" in (tmp_path / "JOB.log").read_text()


def test_one_failed_job_fails_the_array_and_shows_its_log(tmp_path: Path) -> None:
    ran = run("JOB=0:1", tmp_path / "JOB.log", "bash", "-c", "echo this is job JOB; exit JOB")
    assert ran.returncode == 1
    assert "this is job 1" in ran.stderr
    assert "this is job 0" not in ran.stderr
    assert "# Ended (code 1)" in (tmp_path / "1.log").read_text()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = run(tmp_path / "log", "no-such-program")
    assert ran.returncode == 1
    assert "no-such-program: No such file or directory" in ran.stderr


def test_a_log_without_a_program_is_a_usage_error(tmp_path: Path) -> None:
    assert run(tmp_path / "log").returncode == 2


def test_jobs_that_would_share_a_log_are_a_usage_error(tmp_path: Path) -> None:
    ran = run("JOB=1:2", tmp_path / "log", "echo", "JOB")
    assert (ran.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "has to hold the word JOB" in ran.stderr


def test_a_log_is_begun_anew(tmp_path: Path) -> None:
    for word in ("first", "second"):
        assert run(tmp_path / "log", "echo", word).returncode == 0
    assert "first" not in (tmp_path / "log").read_text()


def test_termination_takes_the_job_down(tmp_path: Path) -> None:
    log = tmp_path / "log"
    job = subprocess.Popen([*RUN_JOB, str(log), "bash", "-c", "echo $$; exec sleep 600"])
    deadline = time.monotonic() + 30
    while not (log.exists() and len(lines := log.read_text().splitlines()) > 3):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 128 + signal.SIGTERM
    while _runs(int(lines[3])):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_job_on_this_machine_has_no_time_limit(tmp_path: Path) -> None:
    assert run("--time", "0", tmp_path / "log", "true").returncode == 0


def test_termination_lets_the_job_tidy_up_and_closes_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = "trap 'sleep 1.5; echo tidied; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    job = subprocess.Popen([*RUN_JOB, str(log), "bash", "-c", script])
    deadline = time.monotonic() + 30
    while not (log.exists() and "\nready\n" in log.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    job.send_signal(signal.SIGTERM)
    job.wait(30)
    while "# Ended" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = log.read_text().splitlines()
    assert lines[-2] == "tidied"
    assert lines[-1].startswith("# Ended (code 5) at ")


def test_a_job_that_was_terminated_is_told_from_one_that_failed(tmp_path: Path) -> None:
    for ending in ("exit 143", "kill $$"):
        assert run(tmp_path / "log", "bash", "-c", ending).returncode == 143
        assert "# Ended (code 143)" in (tmp_path / "log").read_text()
    assert run("JOB=1:2", tmp_path / "log.JOB", "bash", "-c", "exit JOB").returncode == 1


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_job_on_slurm_may_run_out_of_time_as_often_as_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("run_job", RUN_JOB[1])
    run_job = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run_job)
    # As on a machine that has Slurm.
    monkeypatch.setattr(run_job.submitit.SlurmExecutor, "affinity", classmethod(lambda cls: 2))
    options = run_job.parse(["--cluster", "slurm", str(tmp_path / "log"), "true"])
    executor = run_job.make_executor(options, tmp_path / "jobs")
    # submitit's own limit is three.
    assert executor._executor.max_num_timeout > 1000
