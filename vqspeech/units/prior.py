"""Priors on disk: `prior.json` and `prior.safetensors`, bound to the model whose units they were trained on."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from vqspeech import __version__
from vqspeech.config import MOST_CODES, PriorConfig
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.hub import check_size
from vqspeech.models.prior import Autoregressive, Histogram, Prior
from vqspeech.settings import ConfigError, from_dict, to_dict

FORMAT = 1
INFO = "prior.json"
WEIGHTS = "prior.safetensors"
Scheme = Literal["autoregressive", "histogram", "uniform"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


@dataclass(frozen=True)
class Priors:
    """All that is known of the codes of one model."""

    histogram: Histogram
    autoregressive: Autoregressive
    speakers: tuple[str, ...]
    info: dict[str, Any]
    """codes (K), hop, sample_rate, model_sha256, merged (whether runs of a code are one), bits_per_code, notes."""

    def __getitem__(self, scheme: Scheme) -> Prior:
        """The prior of that name."""
        if scheme == "uniform":
            return Histogram(self.autoregressive.codes)
        return self.histogram if scheme == "histogram" else self.autoregressive


def save_priors(folder: Path, priors: Priors) -> None:
    """Write a prior folder; each file is replaced as a whole."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in _both(priors).state_dict().items()}
    with atomic_write(folder / WEIGHTS, "wb") as file:
        file.write(save(weights))
    config = to_dict(priors.autoregressive.config)
    values = {"format": FORMAT, "vqspeech": __version__, **priors.info, "speakers": priors.speakers, "config": config}
    with atomic_write(folder / INFO) as file:
        json.dump(values, file, indent=2)
        file.write("\n")


def load_priors(folder: Path) -> Priors:
    """Read a prior folder; raises VqspeechError when it is missing, damaged or of another format version."""
    path = folder / INFO
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version, speakers, codes = values.pop("format"), tuple(values.pop("speakers")), values["codes"]
        if type(codes) is not int or not 1 <= codes <= MOST_CODES:
            raise ValueError(f"codes {codes!r}")
        config = from_dict(PriorConfig, values.pop("config"), where=str(path))
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: not a prior: it has no {INFO}; vqspeech-train-prior makes one") from error
    except ConfigError as error:
        raise VqspeechError(str(error)) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VqspeechError(f"{path}: damaged: {error}") from error
    if version != FORMAT:
        raise VqspeechError(
            f"{folder}: written in prior format {version}; this is vqspeech {__version__}, format {FORMAT}"
        )
    if not (folder / WEIGHTS).exists():
        raise VqspeechError(f"{folder}: not a prior: it has no {WEIGHTS}")

    def build() -> Priors:
        return Priors(Histogram(codes), Autoregressive(codes, len(speakers), config), speakers, values)

    check_size(folder / WEIGHTS, lambda: _both(build()), path)
    priors = build()
    try:
        _both(priors).eval().load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise VqspeechError(f"{folder / WEIGHTS}: damaged or not of this {INFO}: {reason}") from error
    return priors


def _both(priors: Priors) -> nn.ModuleDict:
    """The two that have weights, under the names that these have on disk."""
    return nn.ModuleDict({"histogram": priors.histogram, "autoregressive": priors.autoregressive})


def check_prior(priors: Priors, sha256: str, folder: Path) -> None:
    """Refuse priors of other weights than the model's: their codes mean other sounds. Raises VqspeechError."""
    if priors.info.get("model_sha256") != sha256:
        raise VqspeechError(
            f"prior {folder} was trained on the units of other weights than this model's: "
            "train one on its own units with vqspeech-train-prior"
        )
    if priors.info.get("merged"):
        raise VqspeechError(f"prior {folder} was trained with runs merged: it does not know how long a code lasts")


def speaker_rows(priors: Priors, speaker: str | None, count: int) -> torch.Tensor | None:
    """Rows `[count]` of the prior's speaker table; None for one that it does not know or of no speaker."""
    if speaker is None or speaker not in priors.speakers:
        return None
    return torch.full((count,), priors.speakers.index(speaker))
