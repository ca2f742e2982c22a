import os
import signal
import subprocess
import time
from pathlib import Path

from tests.conftest import ROOT

SCRIPT = f"""
stage=${{FIRST:-0}}
stop_stage=9
set -euo pipefail
. '{ROOT}/recipes/utils/stages.sh'
work() {{ echo "working, continuing $continuing"; "$@"; echo worked; }}
run_stage 1 first 'a folder/.first' "$1" work true
run_stage 2 second 'a folder/.second' "$1" work "$2"
echo end
"""


def run(folder: Path, settings: str, command: str = "true", **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", SCRIPT, "run.sh", settings, command],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
    )


def test_a_stage_that_is_done_is_said_and_not_done_again(tmp_path: Path) -> None:
    assert run(tmp_path, "--x 1").stdout.count("worked") == 2
    again = run(tmp_path, "--x 1")
    assert again.returncode == 0
    assert "worked" not in again.stdout
    assert again.stdout.count("done already (remove a folder/.") == 2


def test_other_settings_do_it_again(tmp_path: Path) -> None:
    run(tmp_path, "--x 1")
    assert run(tmp_path, "--x 2").stdout.count("worked") == 2
    assert run(tmp_path, "--x 1").stdout.count("worked") == 2


def test_a_failure_stops_the_run_and_the_same_command_goes_on_from_there(tmp_path: Path) -> None:
    failed = run(tmp_path, "--x 1", "false")
    assert failed.returncode != 0
    assert failed.stdout.count("worked") == 1
    assert "end" not in failed.stdout
    assert "stopped in stage 2, second" in failed.stderr
    mended = run(tmp_path, "--x 1")
    assert mended.stdout.count("working, continuing true") == 1
    assert mended.stdout.count("worked") == 1
    assert mended.returncode == 0


def test_what_was_begun_with_other_settings_is_not_continued(tmp_path: Path) -> None:
    run(tmp_path, "--x 1", "false")
    assert "continuing true" not in run(tmp_path, "--x 2").stdout


def test_stages_before_the_first_asked_for_are_left_out(tmp_path: Path) -> None:
    ran = run(tmp_path, "--x 1", FIRST="2")
    assert "stage 1" not in ran.stdout
    assert ran.stdout.count("worked") == 1


def test_a_stage_that_was_terminated_is_not_done(tmp_path: Path) -> None:
    (tmp_path / "terminated").write_text("#!/bin/sh\nexit 143\n")
    (tmp_path / "terminated").chmod(0o755)
    ran = run(tmp_path, "--x 1", "./terminated")
    assert ran.returncode == 143
    assert "stopped in stage 2, second; the same command goes on from there" in ran.stderr
    assert not (tmp_path / "a folder/.second.done").exists()
    assert run(tmp_path, "--x 1").stdout.count("working, continuing true") == 1


def test_a_run_that_is_terminated_takes_its_job_with_it(tmp_path: Path) -> None:
    (tmp_path / "job").write_text(
        "#!/bin/bash\ntrap 'echo saved >saved; exit 143' TERM\ntouch up\nwhile :; do sleep 0.05; done\n"
    )
    (tmp_path / "job").chmod(0o755)
    process = subprocess.Popen(["bash", "-c", SCRIPT, "run.sh", "--x 1", "./job"], cwd=tmp_path)
    deadline = time.monotonic() + 20
    while not (tmp_path / "up").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(20) in (143, -signal.SIGTERM)
    while not (tmp_path / "saved").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "saved").exists()
    assert not (tmp_path / "a folder/.second.done").exists()


def test_two_runs_in_one_folder_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    script = f"set -eu; . '{ROOT}/recipes/utils/stages.sh'; lock exp; echo held; $1"
    command = ["bash", "-c", script, "run.sh"]
    first = subprocess.Popen([*command, "sleep 600"], cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True)
    assert first.stdout.readline() == b"held\n"
    second = subprocess.run([*command, "true"], cwd=tmp_path, capture_output=True, text=True)
    assert (second.returncode, second.stdout) == (1, "")
    assert f" exp: in use by process {first.pid} on {os.uname().nodename} or a job it started; wait" in second.stderr
    assert second.stderr.count("\n") == 1
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert subprocess.run([*command, "true"], cwd=tmp_path, capture_output=True).returncode == 0
