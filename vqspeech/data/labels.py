"""Phone labels: who says which phone from when to when."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech.data.textgrid import read_textgrid
from vqspeech.data.utterance import read_lines
from vqspeech.errors import VqspeechError

# One unit of an HTS label is 100 ns.
UNITS_PER_SECOND = {".phn": 1.0, ".lab": 1e7}
TEXTGRID = ".TextGrid"
SUFFIXES = (*UNITS_PER_SECOND, TEXTGRID)

# How the phone sets of TIMIT, ARPAbet, MFA, HTS/Festival, Kaldi and espeak-ng write silence and noise.
SILENCES = frozenset(
    {"", "#", "##", "_", "_:", "h#", "pau", "epi", "sil", "silence", "sp", "spn", "nsn", "ssil", "<eps>"}
)


@dataclass(frozen=True)
class Phone:
    """A phone and its start and end in seconds, on the time axis of the untrimmed recording."""

    start: float
    end: float
    phone: str


def read_labels(path: Path) -> list[Phone]:
    """Read `.phn` (`START END PHONE`, in seconds), `.lab` (HTS, in units of 100 ns) or the phones of a `.TextGrid`.

    Of a full-context HTS label the phone in its middle is taken; names are as `plain_phone` writes them. Raises
    VqspeechError with file and line for a line that is no label, a phone that does not last, and phones that overlap.
    """
    if path.suffix not in SUFFIXES:
        raise VqspeechError(f"{path}: phone labels are read from {', '.join(SUFFIXES)} files")
    phones: list[Phone] = []
    for where, start, end, name in _intervals(path) if path.suffix == TEXTGRID else _rows(path):
        if not (phones[-1].end if phones else 0.0) <= start < end < math.inf:
            raise VqspeechError(f"{where}: a phone from {start:g} to {end:g} s overlaps or does not last")
        phones.append(Phone(start, end, plain_phone(name)))
    return phones


def _rows(path: Path) -> Iterator[tuple[str, float, float, str]]:
    """Place in the file, start and end in seconds, and phone of each line."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        start, end, name, *_ = [*line.split(), "", "", ""]
        seconds = UNITS_PER_SECOND[path.suffix]
        try:
            yield f"{path}:{number}", float(start) / seconds, float(end) / seconds, _middle_phone(name)
        except ValueError:
            raise VqspeechError(f"{path}:{number}: no label of the form START END PHONE") from None


def _intervals(path: Path) -> Iterator[tuple[str, float, float, str]]:
    for number, (start, end, name) in enumerate(read_textgrid(path), start=1):
        # Nothing is said in an interval without a name.
        yield f"{path}, interval {number}", start, end, name.strip() or "sil"


def frame_labels(phones: Sequence[Phone], frames: int, frame_seconds: float, offset: float = 0.0) -> np.ndarray:
    """The phone at the centre of every frame, [frames] str; `""` where there is none.

    `phones` are in order of time, in seconds of the untrimmed file; its first `offset` seconds were trimmed.
    """
    centres = offset + (np.arange(frames) + 0.5) * frame_seconds
    ends = np.array([phone.end for phone in phones])
    names = np.array([phone.phone for phone in phones] + [""])
    starts = np.array([phone.start for phone in phones] + [np.inf])
    current = np.searchsorted(ends, centres, side="right")
    return np.where(centres >= starts[current], names[current], "")


def find_labels(folder: Path) -> dict[str, Path]:
    """Return utterance -> label file for all label files in a folder and its subfolders.

    Raises VqspeechError when there are none, or two for one utterance.
    """
    # The HTS labels of VCTK come as lab/mono and lab/full: the same phones, once with their context.
    mono = folder / "lab" / "mono"
    found: dict[str, Path] = {}
    for path in sorted((mono if mono.is_dir() else folder).rglob("*")):
        if path.suffix not in SUFFIXES:
            continue
        if path.stem in found:
            raise VqspeechError(f"{path}: a second label file of {path.stem}, beside {found[path.stem]}")
        found[path.stem] = path
    if not found:
        raise VqspeechError(f"{folder}: holds no phone labels ({' or '.join(SUFFIXES)} files)")
    return found


def plain_phone(name: str) -> str:
    """Return an ARPAbet phone without stress and any name of silence as `SILENCES` has it; others stay as they are.

    `AH0` becomes `AH`; `SIL` and pocketsphinx's `+SPN+` become `sil` and `spn`.
    """
    silence = name.strip("+").lower()
    return silence if silence in SILENCES else re.sub(r"^([A-Z]{2})[0-2]$", r"\1", name)


def _middle_phone(name: str) -> str:
    """Return `ax` of the HTS label `z^p-ax+k=ao@...`, and any other label as it is."""
    middle = re.match(r"[^\s^]+\^[^\s-]+-([^\s+]+)\+", name)
    return middle[1] if middle else name
