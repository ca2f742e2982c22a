"""One process at a time in a folder: a lock that ends with its holder, however that ends."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vqspeech.errors import VqspeechError

LOCK = ".lock"

_held: set[int] = set()


@contextmanager
def locked(folder: Path, shared: bool = False) -> Iterator[None]:
    """Keep other processes out of `folder`, which is made if it is missing, while the block runs.

    With `shared` only those that do not share it, for jobs that do parts of one work there. The lock is the kernel's
    own (flock) on the file `.lock`, which stays behind without a meaning; a link there is not followed.
    Raises VqspeechError naming the process and host that hold it, and OSError where nothing can be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    _held.add(file)
    try:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 1000).decode(errors="replace").strip() or "another process"
            raise VqspeechError(
                f"{folder}: in use by {holder}; wait until it has ended, or choose another folder"
            ) from None
        os.truncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        yield
    finally:
        if file in _held:  # not so in a forked child
            _held.remove(file)
            os.close(file)


def _release_in_child() -> None:
    """Close what a forked child inherits: it would hold the lock for as long as it outlives its parent."""
    while _held:
        os.close(_held.pop())


os.register_at_fork(after_in_child=_release_in_child)
