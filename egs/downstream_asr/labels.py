"""Texts as labels of a recogniser and back: characters, or byte-pair pieces of them. Label 0 is CTC's blank."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol, Self

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.units.extra import require

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
    """A label for each piece of a byte-pair encoding (Sennrich et al. 2016), as sentencepiece makes it."""

    def __init__(self, proto: bytes) -> None:
        self.proto = proto
        self.processor = require("sentencepiece").SentencePieceProcessor(model_proto=proto)

    @classmethod
    def of(cls, texts: Sequence[str], size: int) -> Self:
        """`size` pieces learnt from `texts`; raises VqspeechError where these give fewer, or have more characters."""
        proto = io.BytesIO()
        try:
            require("sentencepiece").SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=proto,
                model_type="bpe",
                vocab_size=size,
                character_coverage=1.0,
                normalization_rule_name="identity",
                bos_id=-1,
                eos_id=-1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise VqspeechError(f"no {size} pieces from these texts: {str(error).rpartition('] ')[2]}") from error
        return cls(proto.getvalue())

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
