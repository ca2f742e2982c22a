"""Which model units belong to: units of one model mean nothing to another."""

import hashlib
from pathlib import Path
from typing import Any

from vqspeech.codec import Codec
from vqspeech.errors import VqspeechError
from vqspeech.hub import WEIGHTS
from vqspeech.progress import say


def model_sha256(codec: Codec) -> str:
    """SHA-256 of the model's weights on disk."""
    return hashlib.sha256((Path(codec.name) / WEIGHTS).read_bytes()).hexdigest()


def check_model(codec: Codec, info: dict[str, Any], folder: Path) -> None:
    """Refuse the units of `folder`, which `info` describes, where they do not fit the model.

    Raises VqspeechError when number of codes, hop or sample rate differ; other weights are only warned of.
    """
    for key, ours in {"codes": codec.codes, "hop": codec.hop, "sample_rate": codec.sample_rate}.items():
        if info[key] != ours:
            raise VqspeechError(
                f"units {folder} have {key} {info[key]}, model {codec.name} has {ours}: "
                "decode them with the model that made them"
            )
    if info.get("model_sha256") != model_sha256(codec):
        say(f"warning: units {folder} were made by other weights than those of {codec.name}; their sounds may differ")
