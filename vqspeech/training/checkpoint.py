"""Resume state: every tensor of a run and its counters in one safetensors file; nothing in it executes on load."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_path


def save_state(
    path: Path,
    modules: dict[str, nn.Module],
    optimizer: torch.optim.Optimizer,
    counters: dict[str, Any],
) -> None:
    """Write the weights of `modules`, the optimizer's moments and the JSON `counters`, as a whole or not at all."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in modules.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{prefix}.{name}"] = tensor.detach().cpu().clone()
    for index, moments in optimizer.state_dict()["state"].items():
        for name, tensor in moments.items():
            tensors[f"optimizer.{index}.{name}"] = tensor.detach().cpu().clone()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"counters": json.dumps(counters)})


def load_state(path: Path, modules: dict[str, nn.Module], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a saved state back into `modules` and `optimizer`, and return its counters.

    Raises VqspeechError when the file is damaged or belongs to another model.
    """
    try:
        with safe_open(path, framework="pt") as file:
            counters = json.loads(file.metadata()["counters"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        for prefix, module in modules.items():
            module.load_state_dict(_under(prefix, tensors))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise VqspeechError(f"{path}: damaged, or of another model: {reason}") from error
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimizer", tensors).items():
        index, key = name.split(".", 1)
        moments.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return counters


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
