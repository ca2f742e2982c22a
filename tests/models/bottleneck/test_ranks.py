import socket
import subprocess
import sys

from tests.conftest import ROOT


def test_two_ranks_have_the_same_codes_after_start_updates_and_restarts() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "tests.two_ranks", port]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
