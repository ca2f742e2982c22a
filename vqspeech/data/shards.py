"""Training audio in tar shards: a few large files in the place of many small ones.

A shard is a plain tar archive of `UTTERANCE.flac` after `UTTERANCE.flac`, as WebDataset lays them out. `wav.scp` tells
where in it each recording begins, so crops are drawn from shards as from files: any of them, at any time.
"""

import shutil
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vqspeech.archive import BLOCK, Member
from vqspeech.audio import file_of
from vqspeech.data.kaldi import DataDir, write_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.progress import progress

SHARD_BYTES = 2**30
"""A shard ends with the recording that brings it to this size."""
END = bytes(2 * BLOCK)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A recording and its place in a shard."""

    id: str
    source: Path
    header: bytes
    size: int
    offset: int
    """Of the content, behind the header."""

    @property
    def end(self) -> int:
        return self.offset + self.size + -self.size % BLOCK


def write_shards(data: DataDir, dump: Path, out: Path) -> None:
    """Copy the recordings of `data` into shards, `dump/000000.tar` and so on, and write the data dir `out` over them.

    Shards that an interrupted call left are kept. Raises VqspeechError when `out` exists and is not empty, when `dump`
    holds shards of other recordings, for a recording that is no plain file or changes meanwhile, and for an id that is
    too long for a tar archive.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise VqspeechError(f"cannot write {out}: it exists already; remove it or choose another place")
    members: dict[str, Member] = {}
    shards = enumerate(_shards(data))
    for number, entries in progress(shards, "shard", unit="shard"):
        path = dump.resolve() / f"{number:06d}.tar"
        if not path.exists():
            _write(path, entries)
        elif not _holds(path, entries):
            raise VqspeechError(f"{path}: holds other recordings than {data.path}; remove it or choose another --dump")
        members |= {entry.id: Member(path, entry.offset, entry.id) for entry in entries}
    write_data_dir(replace(data, path=out, wavs=members))


def _shards(data: DataDir) -> Iterator[list[_Entry]]:
    """The recordings of each shard, in the order of their utterances."""
    entries: list[_Entry] = []
    for id in data.utterances:
        entries.append(_entry(data, id, start=entries[-1].end if entries else 0))
        if entries[-1].end >= SHARD_BYTES:
            yield entries
            entries = []
    if entries:
        yield entries


def _entry(data: DataDir, id: str, start: int) -> _Entry:
    source = file_of(data.wavs[id])
    if not source.is_file():
        raise VqspeechError(f"{data.path}: {id}: no audio file {source}")
    header = tarfile.TarInfo(id + source.suffix)
    header.size, header.mtime = source.stat().st_size, int(source.stat().st_mtime)
    try:
        block = header.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except ValueError as error:
        raise VqspeechError(f"{data.path}: {id}: does not fit into a tar archive: {error}") from error
    return _Entry(id, source, block, header.size, start + BLOCK)


def _write(path: Path, entries: Sequence[_Entry]) -> None:
    with atomic_write(path, "wb") as shard:
        for entry in entries:
            shard.write(entry.header)
            with entry.source.open("rb") as file:
                shutil.copyfileobj(file, shard)
            if shard.tell() != entry.offset + entry.size:
                raise VqspeechError(f"{entry.source}: changed while it was copied; run it again")
            shard.write(bytes(entry.end - shard.tell()))
        shard.write(END)


def _holds(path: Path, entries: Sequence[_Entry]) -> bool:
    """Whether a shard is of these recordings, by their names, sizes and times."""
    if path.stat().st_size != entries[-1].end + len(END):
        return False
    with path.open("rb") as shard:
        return all(shard.seek(entry.offset - BLOCK) >= 0 and shard.read(BLOCK) == entry.header for entry in entries)
