"""Fetching VCTK 0.92 from its publisher: resumable, checked and safely unpacked."""

import hashlib
import http.client
import math
import re
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vqspeech.data.vctk import is_vctk
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.progress import progress, say

URL = "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
# As torchaudio.datasets.VCTK_092 states it.
SHA256 = "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c"
NAME = "VCTK-Corpus-0.92"

MEBIBYTE = 2**20
LARGEST_CORPUS = 100 * 1000**3
ATTEMPTS = 5
TIMEOUT_SECONDS = 60


def download_vctk(folder: Path, url: str = URL, sha256: str | None = None) -> Path:
    """Fetch and unpack VCTK 0.92 (11 GB, and as much again unpacked) in `folder`; return the corpus folder.

    What an earlier try left is gone on with; what is there already is kept. The archive must have the SHA-256
    that is given, or the known one if it comes from `URL`. Raises VqspeechError when the server fails, the sum
    is another, or the archive would write outside its folder.
    """
    sha256 = sha256 or (SHA256 if url == URL else None)
    corpus = Path(folder) / NAME
    archive = Path(folder) / f"{NAME}.zip"
    if not corpus.is_dir():
        if archive.is_file():
            _check_sum(archive, sha256)
        else:
            part = archive.with_name(f"{archive.name}.part")
            _fetch(url, part)
            try:
                _check_sum(part, sha256)
            except VqspeechError:
                part.unlink()  # or else it would be gone on with
                raise
            part.replace(archive)
        _unpack(archive, corpus)
        say(f"{corpus}: complete; {archive} can be deleted")
    return next((path for path in (corpus, *sorted(corpus.iterdir())) if is_vctk(path)), corpus)


class _NetworkError(Exception):
    """The network failed; to go on later may help."""


def _fetch(url: str, part: Path) -> None:
    """Append to `part` until it is what `url` holds."""
    part.parent.mkdir(parents=True, exist_ok=True)
    failures = 0
    while failures < ATTEMPTS:
        before = part.stat().st_size if part.exists() else 0
        try:
            _fetch_rest(url, part, before)
            return
        except _NetworkError as error:
            reason = error
        failures = 0 if part.exists() and part.stat().st_size > before else failures + 1
        time.sleep(min(failures, 3))
    raise VqspeechError(f"{url}: {reason}; run it again to go on from {part}")


def _fetch_rest(url: str, part: Path, have: int) -> None:
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing lies beyond what we have
            if error.headers.get("Content-Range") == f"bytes */{have}":
                return
            part.unlink()
            raise _NetworkError("the file changed on the server") from error
        raise VqspeechError(f"{url}: {error.code} {error.reason}") from error
    except OSError as error:
        raise _NetworkError(str(getattr(error, "reason", error))) from error
    with response:
        resumed = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if response.status == 206 and not (resumed and int(resumed[1]) == have):
            raise VqspeechError(f"{url}: the server sends another part than the one asked for")
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length else None
        if (total or 0) > LARGEST_CORPUS:
            raise VqspeechError(f"{url}: {total} bytes are more than a corpus has")
        blocks = progress(
            _blocks(response), f"download {NAME}", total and math.ceil((total - start) / MEBIBYTE), unit="MiB"
        )
        with part.open("ab" if start else "wb") as file:
            for block in blocks:
                file.write(block)
                if file.tell() > LARGEST_CORPUS:
                    raise VqspeechError(f"{url}: sends more than the {LARGEST_CORPUS} bytes that a corpus has at most")
    if total is not None and part.stat().st_size < total:
        raise _NetworkError(f"the connection closed after {part.stat().st_size} of {total} bytes")


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while block := response.read(MEBIBYTE):
            yield block
    except (OSError, http.client.HTTPException) as error:
        raise _NetworkError(str(error)) from error


def _check_sum(path: Path, expected: str | None) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is None:
        say(f"{path}: SHA-256 {found}, which is not checked since none was given")
    elif found != expected.lower():
        raise VqspeechError(f"{path}: its SHA-256 is {found} and not {expected.lower()}; fetch it anew")


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as file:
            members = file.infolist()
            for member in members:
                _refuse_unsafe(archive, member)
            size = sum(member.file_size for member in members)
            if size > LARGEST_CORPUS:
                raise VqspeechError(f"{archive}: would unpack to {size} bytes, more than a corpus has")
            with atomic_folder(folder) as unpacked:
                for member in progress(members, f"unpack {archive.name}", unit="file"):
                    target = unpacked / member.filename
                    if member.is_dir():
                        target.mkdir(parents=True, exist_ok=True)
                        continue
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with file.open(member) as source, target.open("wb") as sink:
                        shutil.copyfileobj(source, sink, MEBIBYTE)
    except (zipfile.BadZipFile, EOFError) as error:
        raise VqspeechError(f"{archive}: damaged: {error}; delete it and fetch it again") from error


def _refuse_unsafe(archive: Path, member: zipfile.ZipInfo) -> None:
    """Refuse a member that would land outside the folder, and anything but files and folders."""
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in member.filename:
        raise VqspeechError(f"{archive}: not unpacked, since its member {member.filename!r} leads elsewhere")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise VqspeechError(f"{archive}: not unpacked, since its member {member.filename!r} is a link or device")
