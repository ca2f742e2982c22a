"""Byte-pair encoding of any lines by sentencepiece: what often follows one another becomes one piece.

Source: Sennrich et al. 2016, section 3.2.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vqspeech.errors import VqspeechError
from vqspeech.extras import FORMATS, require

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


def learn_pieces(lines: Sequence[str], size: int, **settings: bool) -> bytes:
    """The sentencepiece model of `size` pieces of these lines, as they are; the same ones give the same pieces.

    `settings` are those of sentencepiece that say what becomes of spaces and scripts.
    Raises VqspeechError where the lines give fewer pieces or have more characters.
    """
    require(["sentencepiece"], FORMATS)
    from sentencepiece import SentencePieceTrainer

    proto = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=proto,
            model_type="bpe",
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="identity",
            bos_id=-1,
            eos_id=-1,
            # In bytes; longer lines would be left out.
            max_sentence_length=4 * max(map(len, lines), default=1),
            minloglevel=2,
            **settings,
        )
    except RuntimeError as error:
        raise VqspeechError(f"no BPE of {size} pieces: {str(error).rpartition('] ')[2]}") from error
    return proto.getvalue()


def open_pieces(proto: bytes) -> "SentencePieceProcessor":
    """What sentencepiece makes of a model; raises VqspeechError for one that is damaged."""
    require(["sentencepiece"], FORMATS)
    from sentencepiece import SentencePieceProcessor

    try:
        processor = SentencePieceProcessor(model_proto=proto)
        for piece in range(len(processor)):
            processor.id_to_piece(piece)  # which may be no text
        return processor
    except (RuntimeError, ValueError) as error:
        raise VqspeechError("not a sentencepiece model") from error
