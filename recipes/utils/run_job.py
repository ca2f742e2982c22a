#!/usr/bin/env python3
"""Run a command, or an array of them, with its output in a log: Kaldi's `$cmd` protocol over submitit.

    run_job.py [--cluster slurm] [--gpu N] ... exp/x/log/train.log vqspeech-train --config conf/tiny.yaml
    run_job.py [options] JOB=1:4 exp/x/log/units.JOB.log program --shard JOB

JOB becomes 1, 2, 3, 4 in the log's name and in the arguments. A log opens with the command and closes with
its exit code and the time. The newest line of the log is shown while a job runs, the last ones when it fails.
SIGTERM is handed on to the jobs, which have some seconds to save what they can.
On a cluster a job that was killed, or whose node was lost, is submitted again, up to --retries times; one that failed
is not. What Slurm queues again by itself (a preempted job, one of a lost node, one whose time is up) is waited for.
The command is then the same once more, so it has to go on where it was. Its log is appended to.
Exit code: 0 when every job's was 0, 143 when one was ended by SIGTERM, else 1.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import submitit
from submitit.helpers import Checkpointable, DelayedSubmission
from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

POLL = 0.2  # seconds between looks at the logs
NOTE_EVERY = 30.0  # seconds between lines where there is no terminal to redraw one on
TAIL = 15  # lines of a failed job's log
MOST_TIMEOUTS = 10_000
UNLIMITED = 100 * 365 * 24 * 60  # minutes; submitit always wants a limit
LATE = 5.0  # seconds that a result may come after the end of its job
GRACE = 20.0  # seconds that jobs on this machine have to end after SIGTERM; Slurm gives its own 30
CANCELLED = 143  # what a shell reports of a process that SIGTERM ended
KILLED = (137, CANCELLED)  # by SIGKILL or SIGTERM: somebody else's doing, for which another try is worth its while


class Logged(Checkpointable):
    """Runs a command with its output in a log, on the cluster's node; the result is its exit code."""

    process: subprocess.Popen[bytes] | None = None
    terminated = False

    def __call__(self, command: list[str], log: Path) -> int:
        log.parent.mkdir(parents=True, exist_ok=True)
        start, code = time.time(), 127
        with log.open("a", encoding="utf-8") as file:
            print(f"# {shlex.join(command)}\n# Started at {time.ctime()}\n#", file=file, flush=True)
            try:
                self.start(command, file)
                code = self.wait()
            except OSError as error:
                print(f"{command[0]}: {error.strerror}", file=file)
            except KeyboardInterrupt:
                code = end(self.process) if self.process else code
                raise
            except SystemExit:  # submitit's, behind `checkpoint`
                code = self.wait()
                raise
            finally:
                elapsed = f"elapsed time {time.time() - start:.0f} seconds"
                print(f"# Ended (code {code}) at {time.ctime()}, {elapsed}", file=file)
        if self.terminated and os.environ["SUBMITIT_EXECUTOR"] == "slurm":
            # No result: it is Slurm that knows whether the job was cancelled or will run again.
            sys.exit(CANCELLED)
        return code

    def start(self, command: list[str], output: IO[str]) -> None:
        signal.signal(signal.SIGTERM, self.terminate)
        # Slurm sends submitit's signal to the command too, which would end by it.
        before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        signal.signal(signal.SIGUSR2, before)

    def terminate(self, *_: object) -> None:
        self.terminated = True
        if self.process is not None:
            self.process.terminate()

    def wait(self) -> int:
        """The exit code, as a shell has it; by looking now and then, since `checkpoint` waits within it."""
        while (code := self.process.poll()) is None:
            time.sleep(POLL)
        return 128 - code if code < 0 else code

    def checkpoint(self, command: list[str], log: Path) -> DelayedSubmission:
        """Let the command save what it can, since the job's time is nearly up; submitit queues the job again."""
        self.process.terminate()
        self.wait()
        return DelayedSubmission(Logged(), command, log)


def end(process: subprocess.Popen[bytes]) -> int:
    """End a process, giving it the time to tidy up that submitit gives us: a second. Return its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes from the terminal and once more from submitit
    # The terminal has perhaps interrupted it already.
    for sign, seconds in ((None, 0.2), (signal.SIGINT, 0.6), (signal.SIGKILL, None)):
        if sign is not None:
            process.send_signal(sign)
        with suppress(subprocess.TimeoutExpired):
            return process.wait(seconds)
    raise AssertionError("nothing outlives SIGKILL")


def last_lines(log: Path, count: int) -> list[str]:
    """The last `count` lines within the newest 64 kB of `log`; of a redrawn line only its latest state."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 65536))
        text = file.read().decode("utf-8", errors="replace")
    return [line.rstrip("\r").rpartition("\r")[2] for line in text.rstrip("\n").split("\n")][-count:]


class Status:
    """The newest line of a log: redrawn in place on a terminal, otherwise a plain line now and then."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.shown = ""
        self.noted = time.monotonic()

    def show(self, log: Path) -> None:
        line = next(iter(last_lines(log, 1)), "").strip()
        if not line or line.startswith("#") or line == self.shown:
            return
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.noted < NOTE_EVERY:
            return
        else:
            print(line, file=sys.stderr, flush=True)
        self.shown, self.noted = line, time.monotonic()

    def clear(self) -> None:
        if self.live and self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Queue(SlurmInfoWatcher):
    """Asks Slurm's controller for the states of jobs; `sacct`, which submitit asks, needs a database besides."""

    ENDED = ("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED")
    ENDED += ("TIMEOUT", "FORGOTTEN")

    def _make_command(self) -> list[str] | None:
        command = ["squeue", "--me", "--states=all", "--array", "--format=%i|%T|%N"]
        return command if self._registered - self._finished else None

    def read_info(self, string: bytes | str) -> dict[str, dict[str, str]]:
        """State and node by job; the controller forgets a job some minutes after its end."""
        _, *rows = (string if isinstance(string, str) else string.decode()).splitlines()
        found = {job: {"State": state, "NodeList": node} for job, state, node in (row.split("|") for row in rows)}
        return {job: found.get(job, {"State": "FORGOTTEN"}) for job in self._registered - self._finished}

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        return self.get_state(job_id, mode) in self.ENDED


def settle(jobs: list[submitit.Job[int]]) -> None:
    """Wait until every result is there, for `LATE` seconds at most: a network's file system may be behind."""
    deadline = time.monotonic() + LATE
    while time.monotonic() < deadline and not all(job.paths.result_pickle.exists() for job in jobs):
        time.sleep(POLL)


def outcome(job: submitit.Job[int]) -> tuple[int, str]:
    """The exit code of a finished job's command, and what the cluster tells of one that it lost, as if killed."""
    try:
        return job.result(), ""
    except submitit.core.utils.FailedJobError as error:
        return 1, str(error)
    except submitit.core.utils.UncompletedJobError as error:
        return (CANCELLED, "") if job.state == "CANCELLED" else (KILLED[0], str(error))


@contextmanager
def no_stderr() -> Iterator[None]:
    """Start processes without stderr: submitit's local controllers meet Ctrl-C with a traceback."""
    saved = os.dup(2)
    with open(os.devnull, "w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def terminate(jobs: list[submitit.Job[int]]) -> None:
    """Hand SIGTERM on to jobs on this machine, and wait until they have ended, for `GRACE` seconds at most."""
    for job in jobs:
        if not job.done():
            os.kill(int(job.job_id), signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(POLL)


def run_once(executor: submitit.AutoExecutor, commands: list[list[str]], logs: list[Path]) -> list[submitit.Job[int]]:
    """Run every command to its end, showing how it goes; return the jobs, all of which have ended."""
    status = Status()
    with no_stderr():
        jobs = executor.map_array(Logged(), commands, logs)
    try:
        while unfinished := [log for job, log in zip(jobs, logs, strict=True) if not job.done()]:
            status.show(unfinished[0])
            time.sleep(POLL)
    except SystemExit:
        if executor.cluster == "local":
            terminate(jobs)
        raise
    finally:
        status.clear()
        for job in jobs:
            if not job.done():
                job.cancel()
    return jobs


def run_all(executor: submitit.AutoExecutor, commands: list[list[str]], logs: list[Path], retries: int) -> int:
    """Run every command, those that are killed so many times more; return the exit code of all."""
    codes: dict[Path, int] = {}
    left = dict(zip(logs, commands, strict=True))
    for tries_left in range(retries, -1, -1):
        jobs = run_once(executor, list(left.values()), list(left))
        settle(jobs)
        again = {}
        for job, (log, command) in zip(jobs, left.items(), strict=True):
            codes[log], told = outcome(job)
            if tries_left and codes[log] in KILLED and job.state != "CANCELLED":
                print(f"run_job: killed (code {codes[log]}), submitted again: {log}", file=sys.stderr)
                again[log] = command
            elif told:
                print(f"run_job: {told}", file=sys.stderr)
        if not again:
            break
        left = again
    for log in [log for log, code in codes.items() if code != 0][:3]:
        lines = last_lines(log, TAIL)
        print(f"run_job: failed; the last lines of {log}:", *lines, sep="\n  ", file=sys.stderr)
    if CANCELLED in codes.values():
        return CANCELLED
    return 1 if any(codes.values()) else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options, and in `.commands` a `[log, program, argument ...]` for each job."""
    parser = argparse.ArgumentParser(
        prog="run_job.py",
        usage="%(prog)s [options] [JOB=1:N] LOG PROGRAM [ARGUMENT ...]",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--cluster", default="local", choices=["local", "slurm"])
    parser.add_argument("--gpu", type=int, default=0, help="GPUs a job")
    parser.add_argument("--threads", type=int, default=1, help="CPUs a job, on a cluster")
    parser.add_argument("--mem", help="memory a job, on a cluster, such as 8G")
    parser.add_argument("--time", type=int, default=3 * 24 * 60, help="minutes a job may take, on a cluster")
    parser.add_argument("--partition", help="the cluster's queue")
    parser.add_argument("--max-jobs-run", type=int, default=64, help="jobs at once, on a cluster")
    parser.add_argument("--retries", type=int, default=2, help="times to submit a killed job again, on a cluster")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    options.commands = [options.command]
    if options.command and (array := re.fullmatch(r"JOB=(\d+):(\d+)", options.command[0])):
        jobs = range(int(array[1]), int(array[2]) + 1)
        options.commands = [[word.replace("JOB", str(job)) for word in options.command[1:]] for job in jobs]
    if not options.commands or len(options.commands[0]) < 2:
        parser.error("a log and a program are needed")
    if len({log for log, *_ in options.commands}) < len(options.commands):
        parser.error(f"each job needs a log of its own: {options.command[1]} has to hold the word JOB")
    return options


def make_executor(options: argparse.Namespace, folder: Path) -> submitit.AutoExecutor:
    """A submitit executor that keeps its files in `folder`."""
    # Training of days on a partition of hours: each time it goes on from its checkpoint.
    executor = submitit.AutoExecutor(folder=folder, cluster=options.cluster, slurm_max_num_timeout=MOST_TIMEOUTS)
    minutes = options.time if options.cluster == "slurm" else UNLIMITED
    executor.update_parameters(
        name="vqspeech", timeout_min=minutes, gpus_per_node=options.gpu, cpus_per_task=options.threads
    )
    if options.cluster == "slurm":
        SlurmJob.watcher = Queue(delay_s=60)
        SlurmJob._results_timeout_s = 0  # for each of them; `settle` has waited for all
        executor.update_parameters(
            slurm_mem=options.mem,
            slurm_partition=options.partition,
            slurm_array_parallelism=options.max_jobs_run,
        )
    return executor


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    logs = [Path(log) for log, *_ in options.commands]
    logs[0].parent.mkdir(parents=True, exist_ok=True)
    for log in logs:
        log.unlink(missing_ok=True)
    retries = options.retries if options.cluster == "slurm" else 0
    # A scheduler's SIGTERM ends this process as Ctrl-C does, so that `finally` takes the jobs down with it;
    # it does so by SIGINT, which a shell's background jobs would inherit as ignored.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(CANCELLED))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # submitit keeps each job's pickled arguments and results here: of use while it runs, clutter afterwards.
    with tempfile.TemporaryDirectory(prefix=".jobs-", dir=logs[0].parent) as folder:
        executor = make_executor(options, Path(folder))
        return run_all(executor, [command for _, *command in options.commands], logs, retries)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
