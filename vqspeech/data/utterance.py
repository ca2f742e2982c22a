"""What every corpus is read into: utterances, and what was left out and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vqspeech.audio import Source
from vqspeech.errors import VqspeechError
from vqspeech.files import check_id


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording of one speaker. Raises VqspeechError when `id` or `speaker` is unsafe as a file name."""

    id: str
    speaker: str
    audio: Source
    text: str | None = None
    gender: str | None = None
    """`f`, `m` or unknown."""
    labels: Path | None = None
    """Phone labels, on the time axis of the untrimmed recording."""
    listed: str = ""
    """The file and line that lists it, for error messages."""

    def __post_init__(self) -> None:
        try:
            check_id(self.id)
            check_id(self.speaker)
        except VqspeechError as error:
            raise VqspeechError(f"{self.listed or self.audio}: {error}") from error

    def fault(self, reason: str) -> str:
        """Return the one-line message that this utterance is bad for a reason, which names its file."""
        return f"{self.listed}: utterance {self.id}: {reason}" if self.listed else f"utterance {self.id}: {reason}"


@dataclass(frozen=True)
class Corpus:
    """The utterances of a corpus folder."""

    kind: str
    utterances: list[Utterance]
    left_out: dict[str, str] = field(default_factory=dict)
    """Gaps that are known for this corpus: utterance -> reason."""
    notes: list[str] = field(default_factory=list)
    """What the user should be told."""
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The speakers that are held out by convention: `test_unseen` and `dev_unseen` -> speakers."""


def utterance_id(speaker: str, name: str) -> str:
    """Return `name` if it starts with the speaker, as Kaldi wants, else `speaker-name`."""
    return name if name.startswith(speaker) else f"{speaker}-{name}"


def gender(word: str) -> str | None:
    """Return `f` or `m` for the ways corpora write it (F, Female, ...), else None."""
    initial = word.strip().lower()[:1]
    return initial if initial in ("f", "m") else None


def transcript(path: Path) -> str | None:
    """Return the text of a transcript file on one line, None when the file is missing or blank."""
    if not path.is_file():
        return None
    return " ".join(path.read_text(encoding="utf-8", errors="replace").split()) or None


def read_lines(path: Path) -> list[str]:
    """Return the lines of a UTF-8 text file without their ends; VqspeechError when it is none."""
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise VqspeechError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise VqspeechError(f"{path}: {error.strerror}") from error
