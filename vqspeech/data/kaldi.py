"""Kaldi data directories: read, write and validate.

One table for each property: `wav.scp utt2spk spk2utt`, and where known `text spk2gender utt2dur`. Two are
our own: `utt2offset` (seconds trimmed from the start of the original recording) and `labels.scp` (phone
labels, on the time axis of that recording).
`python -m vqspeech.data.kaldi DIR ...` validates.
"""

import argparse
import math
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from vqspeech.archive import Member
from vqspeech.audio import Pipe, Source
from vqspeech.data.table import Table
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder, check_id

T = TypeVar("T")
PIPE_REFUSED = "a pipe runs a shell command; give a file, or allow it with --allow-pipes"
RESERVED_WORDS = frozenset({"<s>", "</s>", "#0"})


@dataclass(frozen=True)
class DataDir:
    """The content of a data directory: utterance -> value, in `spk2gender` speaker -> `f` or `m`."""

    path: Path
    wavs: dict[str, Source]
    """A path, a place in a tar archive, or a pipe where pipes were allowed."""
    utt2spk: dict[str, str]
    texts: dict[str, str] = field(default_factory=dict)
    spk2gender: dict[str, str] = field(default_factory=dict)
    utt2dur: dict[str, float] = field(default_factory=dict)
    """Seconds."""
    utt2offset: dict[str, float] = field(default_factory=dict)
    """Seconds trimmed from the start."""
    labels: dict[str, Path] = field(default_factory=dict)

    @property
    def utterances(self) -> list[str]:
        return sorted(self.wavs)

    @property
    def speakers(self) -> list[str]:
        return sorted(set(self.utt2spk.values()))

    @property
    def spk2utt(self) -> dict[str, list[str]]:
        lists: dict[str, list[str]] = {speaker: [] for speaker in self.speakers}
        for utterance in self.utterances:
            lists[self.utt2spk[utterance]].append(utterance)
        return lists

    def subset(self, utterances: Iterable[str], path: Path | None = None) -> "DataDir":
        """Return the data dir of some of the utterances, to be written to `path` if that is given."""
        kept = set(utterances)
        speakers = {self.utt2spk[utterance] for utterance in kept}
        return replace(
            self,
            path=path or self.path,
            wavs=_only(self.wavs, kept),
            utt2spk=_only(self.utt2spk, kept),
            texts=_only(self.texts, kept),
            spk2gender=_only(self.spk2gender, speakers),
            utt2dur=_only(self.utt2dur, kept),
            utt2offset=_only(self.utt2offset, kept),
            labels=_only(self.labels, kept),
        )


def read_data_dir(path: Path, allow_pipes: bool = False) -> DataDir:
    """Read a data directory; `wav.scp` and `utt2spk` must be there, and utterances may lack text.

    Raises VqspeechError with file and line for keys that are unsafe, doubled, unsorted or unknown to
    `wav.scp`, for a time that is no number, for `segments`, and for a pipe unless pipes are allowed.
    """
    path = Path(path)
    if (path / "segments").exists():
        raise VqspeechError(f"{path / 'segments'}: segments are not supported; cut the recordings first")
    wavs, utt2spk = Table.read(path / "wav.scp"), Table.read(path / "utt2spk")
    wavs.check_keys_are_in(utt2spk.rows, "utt2spk")
    utt2spk.check_keys_are_in(wavs.rows, "wav.scp")

    def optional(name: str) -> Table:
        table = Table.read(path / name) if (path / name).exists() else Table(path / name, {})
        table.check_keys_are_in(wavs.rows, "wav.scp")
        return table

    genders = path / "spk2gender"
    sources = wavs.parsed(_source_or_pipe if allow_pipes else _source)
    return DataDir(
        path,
        {id: replace(found, name=id) if isinstance(found, Member) else found for id, found in sources.items()},
        utt2spk.parsed(_speaker),
        {utterance: text for utterance, text in optional("text").rows.items() if text},
        Table.read(genders).parsed(_gender) if genders.exists() else {},
        optional("utt2dur").parsed(_duration),
        optional("utt2offset").parsed(_seconds),
        optional("labels.scp").parsed(_path),
    )


def write_data_dir(data: DataDir) -> None:
    """Write a data directory to `data.path`, whole or not at all.

    `spk2gender` is written when the gender of every speaker is known, as Kaldi wants it. Raises VqspeechError
    when the folder exists and is not empty.
    """
    spk2gender = data.spk2gender if data.spk2gender.keys() >= set(data.speakers) else {}
    files: dict[str, tuple[Mapping[str, Any], Callable[[Any], str]]] = {
        "wav.scp": (data.wavs, str),
        "utt2spk": (data.utt2spk, str),
        "spk2utt": (data.spk2utt, " ".join),
        "text": (data.texts, str),
        "spk2gender": (spk2gender, str),
        "utt2dur": (data.utt2dur, "{:.6f}".format),
        "utt2offset": (data.utt2offset, "{:.6f}".format),
        "labels.scp": (data.labels, str),
    }
    with atomic_folder(data.path) as folder:
        for name, (rows, as_text) in files.items():
            if rows:
                with (folder / name).open("w", encoding="utf-8", newline="\n") as file:
                    file.writelines(f"{key} {as_text(rows[key])}\n" for key in sorted(rows))


def validate_data_dir(path: Path, allow_pipes: bool = False) -> None:
    """Check what Kaldi's own validator checks, and that the files which are named are there.

    Raises VqspeechError with file, line and reason at the first fault.
    """
    data = read_data_dir(path, allow_pipes)

    def fault(name: str, key: str, reason: str) -> VqspeechError:
        return Table.read(data.path / name).error(key, reason)

    if not data.wavs:
        raise VqspeechError(f"{data.path / 'wav.scp'}: empty file")
    for utterance, source in data.wavs.items():
        if not isinstance(source, Pipe) and not source.is_file():
            raise fault("wav.scp", utterance, f"no audio file {source}")
        if isinstance(source, Member):
            try:
                source.open().close()
            except VqspeechError as error:
                raise fault("wav.scp", utterance, str(error)) from error

    previous = ""
    for utterance, speaker in data.utt2spk.items():
        if not utterance.startswith(speaker):
            raise fault("utt2spk", utterance, f"does not begin with its speaker {speaker}")
        if speaker < previous:
            raise fault("utt2spk", utterance, f"breaks the order of the speakers; call it {speaker}-...")
        previous = speaker
    spk2utt = Table.read(data.path / "spk2utt")
    if {speaker: utterances.split() for speaker, utterances in spk2utt.rows.items()} != data.spk2utt:
        raise VqspeechError(f"{spk2utt.path}: does not agree with utt2spk")
    if data.spk2gender and sorted(data.spk2gender) != data.speakers:
        raise VqspeechError(f"{data.path / 'spk2gender'}: its speakers are not those of utt2spk")

    for name in ("text", "utt2dur", "utt2offset"):
        if (data.path / name).exists():
            rows = Table.read(data.path / name).rows
            for utterance in data.wavs:
                if utterance not in rows:
                    raise fault("wav.scp", utterance, f"not in {name}")
    if data.texts:
        Table.read(data.path / "text").parsed(_text)
    if data.labels:
        Table.read(data.path / "labels.scp").parsed(_file)


def _path(value: str) -> Path:
    if value.endswith("|"):
        raise ValueError(PIPE_REFUSED)
    if not value:
        raise ValueError("no file name")
    if "\0" in value:
        raise ValueError(f"{value!r} is no file name")
    return Path(value)


def _source(value: str) -> Source:
    return Member.parse(value) or _path(value)


def _source_or_pipe(value: str) -> Source:
    return Pipe(value.removesuffix("|").strip()) if value.endswith("|") else _source(value)


def _speaker(value: str) -> str:
    # One string for all utterances of a speaker.
    return sys.intern(check_id(value))


def _file(value: str) -> Path:
    path = _path(value)
    if not path.is_file():
        raise ValueError(f"no file {path}")
    return path


def _text(value: str) -> str:
    if not value:
        raise ValueError("no text")
    if reserved := sorted(RESERVED_WORDS & set(value.split())):
        raise ValueError(f"{reserved[0]} is a word that Kaldi reserves")
    return value


def _gender(value: str) -> str:
    if value not in ("f", "m"):
        raise ValueError(f"{value!r} is neither f nor m")
    return value


def _seconds(value: str) -> float:
    seconds = float(value)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{value} is no time in seconds")
    return seconds


def _duration(value: str) -> float:
    if not _seconds(value):
        raise ValueError("a duration is longer than 0")
    return _seconds(value)


def _only(table: dict[str, T], keys: Container[str]) -> dict[str, T]:
    return {key: value for key, value in table.items() if key in keys}


def main(arguments: list[str] | None = None) -> int:
    """Validate data directories; exit 1 with one line at the first fault."""
    parser = argparse.ArgumentParser(description=validate_data_dir.__doc__, allow_abbrev=False)
    parser.add_argument("dirs", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--allow-pipes", action="store_true", help="accept shell commands in wav.scp")
    options = parser.parse_args(arguments)
    try:
        for path in options.dirs:
            validate_data_dir(path, options.allow_pipes)
    except VqspeechError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
