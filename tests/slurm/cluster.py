"""The cluster that cluster.sh makes, and what may befall its nodes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SCRIPT = Path(__file__).with_name("cluster.sh")
ROOT = Path(__file__).resolve().parents[2]
PART = """
trap 'echo saved; exit 143' TERM
echo "part JOB on $SLURMD_NODENAME"
[ "$(grep -c '^part JOB' "$0")" -gt 1 ] || while :; do sleep 0.1; done
"""
"""A job that says where it runs and waits for ever, but ends the second time: its log, which is `$0`, tells it so."""


class Cluster:
    """Two nodes, n1 and n2, each with room for one job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}

    def call(self, *command: str) -> str:
        """Run one of Slurm's commands; return what it says."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout.strip()

    def jobs(self, state: str = "RUNNING") -> list[str]:
        """Ids of the jobs in a state."""
        return self.call("squeue", "--noheader", "--array", f"--states={state}", "--format=%i").split()

    def two_jobs(self, logs: Path, script: str = PART, *options: str) -> subprocess.Popen[str]:
        """run_job.py with a job for each node; what it says is a pipe."""
        command = ["recipes/utils/run_job.py", "--cluster", "slurm", *options, "JOB=1:2", logs / "JOB.log"]
        return subprocess.Popen(
            [sys.executable, *command, "bash", "-c", script, logs / "JOB.log"],
            cwd=ROOT,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self, node: str) -> list[int]:
        """The processes of the job on a node, submitit's and the command's."""
        wanted = {f"SLURMD_NODENAME={node}".encode(), f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()}
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if wanted <= set((place / "environ").read_bytes().split(b"\0")):
                    found.append(int(place.name))
        return found

    def kill_job(self, node: str) -> None:
        """SIGKILL to all processes of the job on a node, as by a kernel that is out of memory."""
        for process in self.processes(node):
            _kill(process)

    def lose(self, node: str) -> None:
        """Let a node vanish: its daemon first, then those that watch over its job, then the job."""
        _kill(int((self.folder / f"slurmd.{node}.pid").read_text()))
        processes = self.processes(node)
        for parent in {_parent(process) for process in processes} - {0}:
            if Path(f"/proc/{parent}/comm").read_text().strip() == "slurmstepd":
                _kill(parent)
        for process in processes:
            _kill(process)

    def bring_back(self, node: str) -> None:
        """Start a lost node again."""
        subprocess.run([SCRIPT, "node", self.folder, node], check=True)


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A running cluster that keeps all it writes in `folder`."""
    subprocess.run([SCRIPT, "start", folder], check=True)
    try:
        yield Cluster(folder)
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True)


def missing() -> str:
    """Why no cluster can be had here; nothing where it can."""
    programs = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    if programs:
        return f"{', '.join(programs)} not found: tests/slurm/cluster.sh install"
    return "" if os.geteuid() == 0 else "slurmd wants to be root"


def text(logs: Path) -> str:
    """The text of all logs in a folder."""
    return "".join(path.read_text() for path in sorted(logs.glob("*.log")))


def wait_for_two(logs: Path) -> None:
    """Wait until both of `two_jobs` run."""
    wait_for(lambda: text(logs).count("\npart ") == 2)


def wait_for(what: Callable[[], object], seconds: float = 600) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing came of {what} in {seconds:g} s")
        time.sleep(0.1)


def _kill(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _parent(process: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
