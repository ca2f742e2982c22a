"""Model folders: `config.json` and `model.safetensors`, the two files that model hubs expect."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from vqspeech import __version__
from vqspeech.config import ModelConfig
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder, atomic_write, check_id
from vqspeech.models.vqvae import VQVAE
from vqspeech.settings import ConfigError, from_dict, to_dict

FORMAT = 1
HOTTEST = 100.0
"""The highest temperature of a model; at this one it all but tosses coins."""
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
CARD = "README.md"


@dataclass(frozen=True)
class Pretrained:
    """A model folder in memory."""

    model: VQVAE
    config: ModelConfig
    speakers: tuple[str, ...]
    notes: dict[str, Any]
    """Whatever else its maker wrote down: training settings, steps, data."""


def save_pretrained(folder: Path, model: VQVAE, speakers: tuple[str, ...], notes: dict[str, Any]) -> None:
    """Write a model folder; each file is replaced as a whole."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_write(folder / WEIGHTS, "wb") as file:
        file.write(save(weights))
    config = {
        "format": FORMAT,
        "vqspeech": __version__,
        "model": to_dict(model.config),
        "speakers": list(speakers),
        "notes": notes,
    }
    with atomic_write(folder / CONFIG) as file:
        json.dump(config, file, indent=2)
        file.write("\n")


VOICES = "decoder.voices.weight"


def add_speaker(
    folder: Path, out: Path, name: str, embedding: Tensor, biases: Tensor | None, note: dict[str, Any]
) -> None:
    """Write the model folder `out`: `folder` with a row `embedding [S]` more in its table of speakers.

    With `biases [L * 2R]` the voice has gate biases of its own.
    Every other weight keeps its bits and its type; `note` joins `notes` under `enrolled`. A model card comes along.
    Raises VqspeechError when `out` exists and is not an empty folder.
    """
    weights = load_file(folder / WEIGHTS)
    table = weights["speakers.weight"]
    weights["speakers.weight"] = torch.cat([table, embedding.to(table.dtype).unsqueeze(0)])
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    config["speakers"].append(name)
    voices = weights.get(VOICES)
    if voices is not None or biases is not None:
        gates = weights["decoder.conditioning.bias"]
        voices = gates.new_zeros(0, len(gates)) if voices is None else voices
        biases = torch.zeros(len(gates)) if biases is None else biases
        weights[VOICES] = torch.cat([voices, biases.to(gates.dtype).unsqueeze(0)])
        config["model"].setdefault("decoder", {})["voices"] = len(weights[VOICES])
    config.setdefault("notes", {}).setdefault("enrolled", {})[name] = note
    with atomic_folder(out) as new:
        save_file(weights, new / WEIGHTS)
        (new / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        if (folder / CARD).is_file() and not (folder / CARD).is_symlink():
            shutil.copy(folder / CARD, new / CARD)


def from_pretrained(folder: Path, device: str | torch.device = "cpu") -> Pretrained:
    """Read a model folder in evaluation mode.

    Raises VqspeechError when the folder is missing, damaged or of another format version.
    """
    config_file = folder / CONFIG
    try:
        values = json.loads(config_file.read_text(encoding="utf-8"))
        version, settings = values["format"], values["model"]
        # They become names of files.
        speakers = tuple(check_id(name) for name in values["speakers"])
        notes = dict(values.get("notes", {}))
        temperature = notes.get("temperature", 1.0)
        if type(temperature) not in (int, float) or not 0 <= temperature <= HOTTEST:
            raise ValueError(f"temperature {str(temperature)[:40]}")
        bottleneck = settings.get("bottleneck", {})
        if isinstance(bottleneck.get("normalise"), bool):
            # Written so until there was a third choice.
            bottleneck["normalise"] = "frame" if bottleneck["normalise"] else "none"
    except FileNotFoundError as error:
        raise VqspeechError(f"{folder}: not a model folder: it has no {CONFIG}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, VqspeechError) as error:
        raise VqspeechError(f"{config_file}: damaged: {error}") from error
    if version != FORMAT:
        raise VqspeechError(
            f"{folder}: written in model format {version} by vqspeech {values.get('vqspeech', '?')}; "
            f"this is vqspeech {__version__}, which reads format {FORMAT}"
        )
    if not (folder / WEIGHTS).exists():
        raise VqspeechError(f"{folder}: not a model folder: it has no {WEIGHTS}")
    try:
        config = from_dict(ModelConfig, settings, where=str(config_file))
        check_size(folder / WEIGHTS, lambda: VQVAE(config, len(speakers)), config_file)
        model = VQVAE(config, len(speakers))
    except ConfigError as error:
        # The command line is not at fault.
        raise VqspeechError(str(error)) from error
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise VqspeechError(f"{folder / WEIGHTS}: damaged or not of this {CONFIG}: {reason}") from error
    return Pretrained(model.to(device).eval(), config, speakers, notes)


def checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """SHA-256 of a text and of names, types, shapes and bytes of tensors on the CPU."""
    sha256 = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return sha256.hexdigest()


def check_size(weights: Path, build: Callable[[], nn.Module], description: Path) -> None:
    """Refuse a description of a model that needs more weights than the file has, before any memory is taken.

    `build` makes the model that `description` tells of. Raises VqspeechError.
    """
    try:
        with torch.device("meta"), _WithoutValues():
            wanted = sum(tensor.numel() for tensor in build().state_dict().values())
    except (RuntimeError, TypeError, OverflowError) as error:  # sizes beyond 64 bits
        raise VqspeechError(
            f"{weights}: damaged or not of this {description.name}, which tells of weights beyond measure"
        ) from error
    # Weights may be stored in 16 bits.
    if 2 * wanted > weights.stat().st_size:
        raise VqspeechError(
            f"{weights}: damaged or not of this {description.name}, which tells of {wanted} weights: it has "
            f"{weights.stat().st_size} bytes"
        )


class _WithoutValues(TorchFunctionMode):
    """Leaves out what changes values of tensors that have none: PyTorch would load its compiler for it."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            # In place, such as Tensor.mul_ and nn.init.normal_.
            return args[0] if args else kwargs["tensor"]
        if function in (torch.randn, torch.rand):
            function = torch.empty
        return function(*args, **kwargs)
