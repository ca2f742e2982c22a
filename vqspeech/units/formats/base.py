"""What every format takes and gives."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vqspeech.units.bpe import Bpe
from vqspeech.units.rows import Row
from vqspeech.units.tokens import Tokens


@dataclass(frozen=True)
class Audio:
    """Where an utterance's audio lies."""

    path: Path
    samples: int
    rate: int
    """Samples per second of the file."""


@dataclass(frozen=True)
class Export:
    """Units of a set of utterances on their way to another toolkit."""

    info: dict[str, Any]
    """codes (K), hop, sample_rate, rate, model_sha256, and whether runs are merged."""
    units: dict[str, Tokens]
    """Utterance to its units, runs merged or kept; sorted by utterance."""
    speakers: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    audio: Mapping[str, Audio] = field(default_factory=dict)
    bpe: Bpe | None = None

    @cached_property
    def tokens(self) -> dict[str, Tokens]:
        """Utterance to its units, or to pieces of them where there is a BPE."""
        return {id: self.bpe.pieces(row) for id, row in self.units.items()} if self.bpe else self.units

    @property
    def count(self) -> int:
        """How many different tokens there may be."""
        return len(self.bpe) if self.bpe else self.info["codes"]

    @property
    def frame_seconds(self) -> float:
        """Seconds that a frame lasts."""
        return self.info["hop"] / self.info["sample_rate"]


class Format(Protocol):
    """The files of one ecosystem in a folder of their own."""

    def write(self, export: Export, folder: Path, home: Path) -> None:
        """Write into `folder`, which will be called `home`; raises VqspeechError where the format cannot hold this."""
        ...

    def read(self, folder: Path, info: dict[str, Any]) -> Iterator[Row]:
        """Read back; raises VqspeechError, and whatever the ecosystem's parsers raise for what is damaged."""
        ...


def write_rows(path: Path, rows: Iterable[tuple[str, np.ndarray]]) -> None:
    """Write lines `utterance 12 12 5 ...`."""
    write_lines(path, (f"{id} {' '.join(map(str, row.tolist()))}" for id, row in rows))


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write lines of UTF-8 text, without their ends, to a new file."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
