import pytest
import torch
from torch import nn

from vqspeech.errors import VqspeechError
from vqspeech.training.checkpoint import load_state, save_state


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    return module, optimizer


def test_weights_moments_and_counters_come_back(tmp_path) -> None:
    module, optimizer = trained(0)
    save_state(tmp_path / "state.safetensors", {"module": module}, optimizer, {"step": 3, "best": 1.5})
    other, its_optimizer = trained(1)
    assert load_state(tmp_path / "state.safetensors", {"module": other}, its_optimizer) == {"step": 3, "best": 1.5}
    for a, b in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    # The next step shows that the moments are the same too.
    for net, steps in ((module, optimizer), (other, its_optimizer)):
        steps.zero_grad()
        net(torch.ones(5, 3)).square().sum().backward()
        steps.step()
    assert torch.equal(module[0].weight, other[0].weight)


@pytest.mark.parametrize("damage", [b"", b"garbage" * 10, None])
def test_a_damaged_file_is_named(tmp_path, damage: bytes | None) -> None:
    module, optimizer = trained(0)
    path = tmp_path / "state.safetensors"
    save_state(path, {"module": module}, optimizer, {"step": 3})
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(VqspeechError, match=r"state.safetensors: damaged"):
        load_state(path, {"module": module}, optimizer)


def test_another_models_state_is_refused(tmp_path) -> None:
    module, optimizer = trained(0)
    path = tmp_path / "state.safetensors"
    save_state(path, {"module": module}, optimizer, {"step": 3})
    other = nn.Linear(7, 7)
    with pytest.raises(VqspeechError, match="another model"):
        load_state(path, {"module": other}, torch.optim.AdamW(other.parameters()))
