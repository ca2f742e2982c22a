"""A command that serves a page until it is ended."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SECONDS = 120


@dataclass(frozen=True)
class Served:
    """A page that is served, and who serves it."""

    address: str
    process: subprocess.Popen[str]

    def end(self) -> int:
        """End the command as a scheduler does; its exit code."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(SECONDS)


@contextmanager
def serving(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """Run a command that prints the address of its page, and end it where that has not been done."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True, start_new_session=True)
    with process:
        served = Served(process.stdout.readline().strip(), process)
        try:
            yield served
        finally:
            if process.poll() is None:
                served.end()
