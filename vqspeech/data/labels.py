"""Phone labels: who says which phone from when to when."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech.data.utterance import read_lines
from vqspeech.errors import VqspeechError

# One unit of an HTS label is 100 ns.
UNITS_PER_SECOND = {".phn": 1.0, ".lab": 1e7}

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
    """Read `.phn` (`START END PHONE`, in seconds) or `.lab` (HTS, in units of 100 ns).

    Of a full-context HTS label the phone in its middle is taken; names are as `plain_phone` writes them. Raises
    VqspeechError with file and line for a line that is no label, a phone that does not last, and phones that overlap.
    """
    if path.suffix not in UNITS_PER_SECOND:
        raise VqspeechError(f"{path}: phone labels are read from {' and '.join(UNITS_PER_SECOND)} files")
    phones: list[Phone] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        start, end, name, *_ = [*line.split(), "", "", ""]
        try:
            phone = Phone(
                float(start) / UNITS_PER_SECOND[path.suffix],
                float(end) / UNITS_PER_SECOND[path.suffix],
                plain_phone(_middle_phone(name)),
            )
        except ValueError:
            raise VqspeechError(f"{path}:{number}: no label of the form START END PHONE") from None
        if not (phones[-1].end if phones else 0.0) <= phone.start < phone.end < math.inf:
            raise VqspeechError(f"{path}:{number}: a phone from {start} to {end} overlaps or does not last")
        phones.append(phone)
    return phones


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
        if path.suffix not in UNITS_PER_SECOND:
            continue
        if path.stem in found:
            raise VqspeechError(f"{path}: a second label file of {path.stem}, beside {found[path.stem]}")
        found[path.stem] = path
    if not found:
        raise VqspeechError(f"{folder}: holds no phone labels ({' or '.join(UNITS_PER_SECOND)} files)")
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
