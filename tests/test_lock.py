import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vqspeech.errors import VqspeechError
from vqspeech.lock import LOCK, locked

HOLDER = """
import os, sys, time
from pathlib import Path
from vqspeech.lock import LOCK, locked
with locked(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(600)  # outlives its parent, as a data-loader's worker may for a moment
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the folder, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "exp")], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_second_is_told_who_holds_the_folder(tmp_path: Path, holder: subprocess.Popen) -> None:
    with pytest.raises(VqspeechError, match="in use by") as caught, locked(tmp_path / "exp"):
        pass
    assert f"{tmp_path / 'exp'}: in use by process {holder.pid} on {socket.gethostname()};" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_killed_holder_leaves_no_lock_behind_even_while_its_children_live(
    tmp_path: Path, holder: subprocess.Popen
) -> None:
    holder.kill()
    holder.wait()
    with locked(tmp_path / "exp"):
        assert (tmp_path / "exp/.lock").read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"


def test_those_who_share_keep_out_one_who_does_not(tmp_path: Path) -> None:
    with (
        locked(tmp_path, shared=True),
        locked(tmp_path, shared=True),
        pytest.raises(VqspeechError, match="in use by"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path), pytest.raises(VqspeechError, match="in use by"), locked(tmp_path, shared=True):
        pass


def test_one_after_the_other(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path):
            pass
    with pytest.raises(ValueError), locked(tmp_path):
        raise ValueError
    with locked(tmp_path):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("all of it")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / LOCK).symlink_to(precious)
    with pytest.raises(OSError), locked(tmp_path / "folder"):
        pass
    assert precious.read_text() == "all of it"
