"""Which model units belong to: units of one model mean nothing to another."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from vqspeech.codec import Codec
from vqspeech.config import BottleneckConfig, EncoderConfig
from vqspeech.errors import VqspeechError
from vqspeech.hub import checksum
from vqspeech.progress import say


def model_sha256(codec: Codec) -> str:
    """SHA-256 of what decides the codes: weights and settings of encoder and bottleneck, and the sample rate.

    Models that differ in their voices or their decoder alone have the same one.
    """
    config = codec.config
    settings = [config.sample_rate, _settings(config.encoder), _settings(config.bottleneck)]
    weights = {
        name: tensor.cpu()
        for name, tensor in codec.model.state_dict().items()
        if name.startswith(("encoder.", "bottleneck."))
    }
    return checksum(weights, json.dumps(settings))


def _settings(config: EncoderConfig | BottleneckConfig) -> dict[str, Any]:
    """Those that are not at their defaults: a setting that is new then changes nothing for models from before it."""
    chosen = ((field, getattr(config, field.name)) for field in fields(config))
    return {field.name: value for field, value in chosen if value != field.default}


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
