"""Checkpoints: every tensor of a run and its counters in one safetensors file; nothing in it executes on load.

`state-STEP.safetensors` carries a checksum of all it holds. The newest few are kept, and a damaged one is set aside.
"""

import json
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write, flush_names, remove_unfinished
from vqspeech.hub import checksum
from vqspeech.progress import say

NAME = re.compile(r"state(?:-(\d+))?\.safetensors")
COUNTERS = {"step": (int,), "minutes": (float, int), "best": (float, int), "identity": (dict,)}
"""What kind each is of."""


class DamagedError(VqspeechError):
    """A checkpoint that is not what was written."""


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in `folder`, newest first."""
    # A state without a step in its name is from the time when there was one alone.
    names = {path: NAME.fullmatch(path.name) for path in folder.glob("state*.safetensors")}
    steps = {path: int(name[1] or 0) for path, name in names.items() if name}
    return sorted(steps, key=lambda path: steps[path], reverse=True)


def save_state(
    folder: Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    counters: dict[str, Any],
    keep: int,
) -> Path:
    """Write the weights of `modules`, the optimizer's moments and the JSON `counters`, among them `step`.

    The file appears whole or not at all; then all but the newest `keep` are removed, and what killed processes left.
    Nobody else may write into `folder`. Raises OSError that names the file.
    """
    tensors: dict[str, Tensor] = {}
    for prefix, module in modules.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = tensor.detach().cpu().clone()
    for index, moments in optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            tensors[f"optimizer.{index}.{name}"] = tensor.detach().cpu().clone()
    text = json.dumps(counters)
    remove_unfinished(folder, ".safetensors")
    path = folder / f"state-{counters['step']:06d}.safetensors"
    with atomic_write(path, "wb") as file:
        file.write(save(tensors, metadata={"counters": text, "sha256": checksum(tensors, text)}))
    flush_names(folder)
    for old in checkpoints(folder)[keep:]:
        old.unlink()
    return path


def newest_state(folder: Path) -> Path | None:
    """The newest checkpoint in `folder` that is whole; None where there is none at all.

    Damaged ones that are newer are named on stderr and set aside. Raises DamagedError when no other is left.
    """
    found = checkpoints(folder)
    for path, before in zip_longest(found, found[1:]):
        try:
            _read(path)
            return path
        except DamagedError as error:
            if before is None:
                raise DamagedError(f"{error}; no other checkpoint is left: remove it to begin anew") from error
            aside = path.rename(f"{path}.damaged")
            say(f"warning: {error}; set aside as {aside}, going on from {before}")
    return None


def load_state(path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a saved state back into `modules` and `optimizer`, and return its counters.

    Raises DamagedError when the file is damaged and VqspeechError when it belongs to another model.
    """
    tensors, counters = _read(path)
    try:
        for prefix, module in modules.items():
            module.load_state_dict(_under(prefix, tensors))
    except RuntimeError as error:
        raise VqspeechError(f"{path}: of another model: {str(error).splitlines()[0]}") from error
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    try:
        for name, tensor in _under("optimizer", tensors).items():
            index, key = name.split(".", 1)
            # The optimizer itself would only see in its next step that they do not fit.
            if tensor.ndim and tensor.shape != parameters[int(index)].shape:
                raise ValueError(f"{name} is of shape {list(tensor.shape)}")
            moments.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    except (LookupError, ValueError, RuntimeError) as error:
        raise DamagedError(f"{path}: damaged: the optimizer's moments: {' '.join(str(error).split())}") from error
    return counters


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        text = metadata["counters"]
        counters = json.loads(text)
        for name, types in COUNTERS.items():
            if (name == "step" or name in counters) and type(counters[name]) not in types:
                raise ValueError(f"{name} {counters[name]!r}")
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: damaged: {str(error).splitlines()[0]}") from error
    # The first checkpoints had no checksum.
    found = checksum(tensors, text)
    if metadata.get("sha256", found) != found:
        raise DamagedError(f"{path}: damaged: its checksum is not that of its content")
    return tensors, counters


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
