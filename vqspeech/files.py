"""Outputs that appear whole or not at all, and ids that are safe as file names."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vqspeech.errors import VqspeechError

# The process's own file mode mask, which can only be read by setting it.
UMASK = os.umask(0)
os.umask(UMASK)


@contextmanager
def atomic_write(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a file that replaces `path` when the block ends well; text is UTF-8 with `\\n` line ends.

    On any error, a full disk included, the old file stays as it was and nothing else is left behind.
    Raises OSError that names `path`, and VqspeechError when `path` is a folder or a device.
    """
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    with atomic_path(path) as temporary, temporary.open(mode, **text) as file:
        yield file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, renamed to `path` when the block ends well.

    For libraries that want a file name; it has the suffix of `path`. Missing parent folders are made.
    Errors as in `atomic_write`.
    """
    target = Path(path).resolve()  # a symbolic link keeps pointing to the file that is replaced
    if target.exists() and not target.is_file():
        raise VqspeechError(f"cannot write {path}: it is not a plain file")
    if Path(path).is_symlink() and not target.exists():
        raise VqspeechError(f"cannot write {path}: it is a link to a file that is not there")
    with _temporary(target, named=path) as temporary:
        yield temporary
        _flush_to_disk(temporary)
        # Some libraries make files that only their owner can read.
        temporary.chmod(0o666 & ~UMASK)
        os.replace(temporary, target)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` that is renamed to `path` when the block ends well.

    Raises VqspeechError when `path` exists and is not an empty folder, and OSError that names `path`.
    """
    target = Path(path).resolve()
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise VqspeechError(f"cannot write {path}: it exists already; remove it or choose another place")
    with _temporary(target, named=path) as temporary:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _flush_to_disk(file)
        os.replace(temporary, target)


def remove_unfinished(folder: Path, suffix: str) -> None:
    """Delete what killed processes left of files with this suffix; only for a folder in which nobody else writes."""
    for path in folder.glob(f".*.part{suffix}"):
        path.unlink()


def flush_names(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: a file that replaces others has to be there before they go."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def check_id(id: str) -> str:
    """Return `id` if it is safe as a file name and as a key of a Kaldi file, else raise VqspeechError."""
    text = isinstance(id, str) and id.isprintable()
    if not text or not id or id[0] in "-." or "/" in id or ".." in id or " " in id:
        raise VqspeechError(
            f"unsafe id {id!r}: an id holds no '/', no '..' and no white space, and starts with no '-' or '.'"
        )
    return id


def check_writable(path: Path) -> None:
    """Raise VqspeechError when `path` is there and no plain file, or when nothing can be written where it is to lie."""
    if path.exists() and not path.is_file():
        raise VqspeechError(f"cannot write {path}: it is not a plain file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        # Permissions do not tell: a read-only or virtual file system refuses whatever they say.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise VqspeechError(f"cannot write {path}: {folder}: {error.strerror}") from error


@contextmanager
def _temporary(target: Path, named: Path) -> Iterator[Path]:
    """Give an unused name beside `target`; whatever is left there afterwards is removed."""
    # The suffix is kept, since audio libraries choose the format by it.
    temporary = target.with_name(f".{secrets.token_hex(6)}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        # A failed write names no file, or names the temporary one, of which the user knows nothing.
        if error.filename is None or Path(os.fsdecode(error.filename)) == temporary:
            error.filename = str(named)
            error.filename2 = None
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    """Wait until the content is on the disk, so that a full disk is met before the old file is gone."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
