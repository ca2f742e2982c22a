"""What `--src` names: recordings, and the name of each in the tree that its outputs mirror."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vqspeech.audio import AUDIO_SUFFIXES, file_of
from vqspeech.data.kaldi import read_data_dir
from vqspeech.errors import VqspeechError


@dataclass(frozen=True)
class Recording:
    """A file to be converted."""

    path: Path
    name: str
    """Its utterance in a data dir, else its path without the ending, from the folder on that all sources lie in."""


def find_recordings(sources: Sequence[str], leave_out: Sequence[Path] = ()) -> list[Recording]:
    """Name the recordings that files, folders, globs and data dirs hold: each once, in the order of the sources.

    Folders are searched for endings of audio; what is hidden or lies in the folders `leave_out` is not looked at there.
    Raises VqspeechError for a folder or glob without recordings and for a faulty data dir.
    """
    named: dict[Path, tuple[Path, str | None]] = {}
    roots = []
    for source in sources:
        searched = not Path(source).is_file()
        found = [
            (path, name)
            for path, name in _recordings(source)
            if not (searched and any(_within(path, folder) for folder in leave_out))
        ]
        if not found:
            raise VqspeechError(f"{source}: no recordings there")
        for path, name in found:
            named.setdefault(path.absolute(), (path, name))
        roots.append(_root(source))
    base = os.path.commonpath(roots)
    return [Recording(path, name or _relative(path, base)) for path, name in named.values()]


def _recordings(source: str) -> Iterator[tuple[Path, str | None]]:
    """Paths, with their names where a data dir gives them."""
    matches = sorted(glob.glob(source, recursive=True)) if _is_glob(source) else [source]
    for path in map(Path, matches):
        if (path / "wav.scp").is_file():
            data = read_data_dir(path)
            yield from ((file_of(data.wavs[id]), id) for id in data.utterances)
        elif path.is_dir():
            yield from ((file, None) for file in sorted(path.rglob("*")) if _is_audio(file, path))
        else:
            yield path, None


def _is_audio(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in AUDIO_SUFFIXES and not hidden and path.is_file()


def _is_glob(source: str) -> bool:
    return glob.has_magic(source) and not Path(source).exists()


def _root(source: str) -> str:
    """The folder from which on the tree of a source is mirrored."""
    path = Path(source)
    if _is_glob(source):
        fixed = []
        for part in path.parts[:-1]:
            if glob.has_magic(part):
                break
            fixed.append(part)
        path = Path(*fixed)
    elif not path.is_dir():
        path = path.parent
    return os.path.abspath(path)


def _relative(path: Path, base: str) -> str:
    return str(Path(os.path.relpath(path, base)).with_suffix(""))


def _within(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())
