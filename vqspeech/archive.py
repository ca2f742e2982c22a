"""Files within tar archives, read in their place: nothing is unpacked, and no name in an archive becomes a path."""

import io
import re
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from os import stat_result
from pathlib import Path, PurePosixPath
from typing import IO, Any

from vqspeech.errors import VqspeechError

BLOCK = tarfile.BLOCKSIZE
"""Bytes; headers and contents begin at multiples of it."""

# A data dir has thousands of members of one archive after another: they share its path.
_path = lru_cache(maxsize=16)(Path)


@dataclass(frozen=True, slots=True)
class Member:
    """A file within a tar archive, by the byte where its content begins.

    As text it is `a.tar:1536`, as Kaldi writes a place in an archive. `name` is what the archive has to call it,
    without ending and folders.
    """

    archive: Path
    offset: int
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> "Member | None":
        """Return the member that `text` stands for, if it is the text of one."""
        found = re.fullmatch(r"(.+\.tar):([0-9]{1,18})", text)
        return cls(_path(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.archive}:{self.offset}"

    def is_file(self) -> bool:
        """Tell whether the archive is there."""
        return self.archive.is_file()

    def stat(self) -> stat_result:
        """Return what the file system knows of the archive."""
        return self.archive.stat()

    def open(self) -> "Content":
        """Open the content for reading, which takes no memory to speak of.

        Raises VqspeechError when the archive has no such file there, or ends before the file does, and OSError.
        """
        file = self.archive.open("rb")
        try:
            return Content(file, self.offset, self._size(file), str(self))
        except BaseException:
            file.close()
            raise

    def _size(self, file: IO[bytes]) -> int:
        """Read the header that lies before the content."""
        end = file.seek(0, io.SEEK_END)
        if self.offset % BLOCK or not BLOCK <= self.offset < end:
            raise VqspeechError(f"{self}: no file of a tar archive begins there; it has {end} bytes")
        file.seek(self.offset - BLOCK)
        try:
            header = tarfile.TarInfo.frombuf(file.read(BLOCK), "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise VqspeechError(f"{self}: damaged, or another archive than it was: {error}") from error
        name = PurePosixPath(header.name).stem
        # A link or a device is no recording, whatever it leads to.
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or name != self.name:
            raise VqspeechError(f"{self}: another archive than it was: it has {header.name!r} there, not {self.name}")
        if not 0 < header.size <= end - self.offset:
            raise VqspeechError(f"{self}: truncated: {end - self.offset} of {header.size} bytes of {name} are there")
        return header.size


class Content(io.RawIOBase):
    """A stretch of an open file as a file of its own, which closes with it."""

    def __init__(self, file: IO[bytes], start: int, size: int, name: str) -> None:
        self.file, self.start, self.size, self.name = file, start, size, name
        self.position = 0

    def __repr__(self) -> str:
        return repr(self.name)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}[whence]
        self.position = max(0, base + offset)
        return self.position

    def readinto(self, buffer: Any) -> int:
        count = max(0, min(len(buffer), self.size - self.position))
        try:
            self.file.seek(self.start + self.position)
            read = self.file.readinto(memoryview(buffer)[:count])
        except OSError:
            read = 0  # libsndfile cannot be told of errors; that samples are missing is seen by who reads them
        self.position += read
        return read

    def close(self) -> None:
        self.file.close()
        super().close()
