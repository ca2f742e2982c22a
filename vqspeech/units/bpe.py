"""Byte-pair encoding of units, spelt as characters."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.units.characters import alphabet, from_characters, to_characters
from vqspeech.units.pieces import learn_pieces, open_pieces
from vqspeech.units.tokens import Tokens

MODEL = "bpe.model"


class Bpe:
    """Pieces, numbered from 0 on; piece 0 is sentencepiece's `<unk>`, which no unit becomes."""

    def __init__(self, proto: bytes, codes: int, trained_on: str | None) -> None:
        """Take a sentencepiece model; raises VqspeechError for one that is damaged or knows fewer than `codes` units.

        `trained_on` names the data that it was learnt from, where that is known.
        """
        self._processor = open_pieces(proto)
        self.proto, self.trained_on = proto, trained_on
        self.names: list[str] = [self._processor.id_to_piece(piece) for piece in range(len(self._processor))]
        self._units = [np.array(from_characters(name), np.int64) for name in self.names]
        self._lengths = np.array([len(units) for units in self._units])
        for unit, character in enumerate(alphabet(codes)):
            if self._processor.piece_to_id(character) == self._processor.unk_id():
                raise VqspeechError(f"a BPE that does not know unit {unit}")

    @classmethod
    def train(cls, rows: Iterable[np.ndarray], codes: int, size: int, trained_on: str | None) -> Self:
        """Learn `size` pieces from sequences of units `[n]`; the same ones give the same pieces.

        Raises VqspeechError for fewer pieces than units, and for more than the sequences give.
        """
        if size <= codes:
            raise VqspeechError(f"a BPE of {size} pieces is too small: there are {codes} units, and <unk>")
        # Each unit once by itself, since dev and test may have some that training has not.
        lines = [*alphabet(codes), *(to_characters(row.tolist()) for row in rows)]
        proto = learn_pieces(
            lines, size, add_dummy_prefix=False, remove_extra_whitespaces=False, split_by_unicode_script=False
        )
        return cls(proto, codes, trained_on)

    def __len__(self) -> int:
        return len(self.names)

    def pieces(self, tokens: Tokens) -> Tokens:
        """Units as pieces, each lasting as long as its units together."""
        pieces = np.array(self._processor.encode(to_characters(tokens.units.tolist())), np.int64)
        lengths = self._lengths[pieces]
        return Tokens(pieces, np.add.reduceat(tokens.durations, lengths.cumsum() - lengths))

    def count(self, pieces: np.ndarray) -> int:
        """How many units pieces `[n]` stand for."""
        return int(self._lengths[pieces].sum())

    def units(self, pieces: np.ndarray) -> np.ndarray:
        """The units `[m]` that pieces `[n]` stand for, those of `<unk>` being none that a model has."""
        return np.concatenate([self._units[piece] for piece in pieces])


def read_bpe(folder: Path, codes: int, trained_on: str | None) -> Bpe:
    """The BPE of an export; raises VqspeechError when there is none, or it is damaged or of fewer units."""
    try:
        return Bpe((folder / MODEL).read_bytes(), codes, trained_on)
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: has no {MODEL}") from error
    except VqspeechError as error:
        raise VqspeechError(f"{folder / MODEL}: {error}") from error
