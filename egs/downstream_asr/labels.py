"""Texts as labels of a recogniser and back: characters, or byte-pair pieces of them. Label 0 is CTC's blank."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, Self

from vqspeech.files import atomic_write
from vqspeech.units.pieces import learn_pieces, open_pieces

CHARACTERS = "characters.txt"
PIECES = "bpe.model"


class Labels(Protocol):
    """What both kinds do."""

    def __len__(self) -> int:
        """How many labels there are, the blank included."""

    def encode(self, text: str) -> list[int]:
        """A text of training as labels."""

    def decode(self, labels: Iterable[int]) -> str:
        """The text that labels spell."""

    def save(self, folder: Path) -> None:
        """Write what `read_labels` reads."""


class Characters:
    """A label for each character of the training texts."""

    def __init__(self, alphabet: str) -> None:
        self.alphabet = alphabet
        self.label_of = {character: label for label, character in enumerate(alphabet, 1)}

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Those that `texts` have."""
        return cls("".join(sorted(set("".join(texts)))))

    def __len__(self) -> int:
        return len(self.alphabet) + 1

    def encode(self, text: str) -> list[int]:
        """As `Labels.encode`."""
        return [self.label_of[character] for character in text]

    def decode(self, labels: Iterable[int]) -> str:
        """As `Labels.decode`, without spaces that separate nothing."""
        return " ".join("".join(self.alphabet[label - 1] for label in labels).split())

    def save(self, folder: Path) -> None:
        """As `Labels.save`."""
        with atomic_write(folder / CHARACTERS) as file:
            file.write(self.alphabet)


class Pieces:
    """A label for each piece of a byte-pair encoding."""

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        self.processor = open_pieces(proto)

    @classmethod
    def of(cls, texts: Sequence[str], size: int) -> Self:
        """`size` pieces learnt from `texts`; raises VqspeechError where these give fewer, or have more characters."""
        return cls(learn_pieces(texts, size))

    def __len__(self) -> int:
        return len(self.processor) + 1

    def encode(self, text: str) -> list[int]:
        """As `Labels.encode`."""
        return [piece + 1 for piece in self.processor.encode(text)]

    def decode(self, labels: Iterable[int]) -> str:
        """As `Labels.decode`."""
        return self.processor.decode([label - 1 for label in labels])

    def save(self, folder: Path) -> None:
        """As `Labels.save`."""
        with atomic_write(folder / PIECES, "wb") as file:
            file.write(self.proto)


def read_labels(folder: Path) -> Labels:
    """The labels that were saved in a folder."""
    if (folder / PIECES).exists():
        return Pieces((folder / PIECES).read_bytes())
    return Characters((folder / CHARACTERS).read_text(encoding="utf-8"))
