import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.full_disk import full_disk
from vqspeech.errors import VqspeechError
from vqspeech.hub import checksum
from vqspeech.training.checkpoint import DamagedError, checkpoints, load_state, newest_state, save_state


def trained(seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        module(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    return module, optimizer


def save(folder: Path, step: int, keep: int = 2) -> Path:
    module, optimizer = trained(step)
    return save_state(folder, {"module": module}, optimizer, {"step": step}, keep)


def test_weights_moments_and_counters_come_back(tmp_path: Path) -> None:
    module, optimizer = trained(0)
    path = save_state(tmp_path, {"module": module}, optimizer, {"step": 3, "best": 1.5}, keep=1)
    other, its_optimizer = trained(1)
    assert load_state(path, {"module": other}, its_optimizer) == {"step": 3, "best": 1.5}
    for a, b in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    # The next step shows that the moments are the same too.
    for net, steps in ((module, optimizer), (other, its_optimizer)):
        steps.zero_grad()
        net(torch.ones(5, 3)).square().sum().backward()
        steps.step()
    assert torch.equal(module[0].weight, other[0].weight)


def test_the_newest_are_kept_and_what_a_killed_save_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".0123456789ab.part.safetensors").write_bytes(b"half")
    for step in (999_998, 999_999, 1_000_000):
        save(tmp_path, step)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["state-1000000.safetensors", "state-999999.safetensors"]
    # By number, which is not the order of the names.
    assert newest_state(tmp_path).name == "state-1000000.safetensors"


def flipped(content: bytes) -> bytes:
    """One bit of the last tensor, of which safetensors itself knows nothing."""
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [lambda _: b"", lambda _: b"garbage" * 10, lambda whole: whole[:-20], flipped])
def test_a_damaged_newest_is_named_and_set_aside_and_the_one_before_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage
) -> None:
    before, newest = save(tmp_path, 2), save(tmp_path, 4)
    newest.write_bytes(damage(newest.read_bytes()))
    with pytest.raises(DamagedError, match=r"state-000004\.safetensors: damaged"):
        load_state(newest, {}, trained(0)[1])
    assert newest_state(tmp_path) == before
    assert not newest.exists()
    said = capsys.readouterr().err
    assert f"warning: {newest}: damaged: " in said
    assert f"set aside as {newest}.damaged, going on from {before}" in said
    assert said.count("\n") == 1
    # Set aside, it counts no longer.
    assert checkpoints(tmp_path) == [before]


def test_a_lone_damaged_one_stays_and_is_an_error(tmp_path: Path) -> None:
    path = save(tmp_path, 2)
    path.write_bytes(flipped(path.read_bytes()))
    with pytest.raises(DamagedError, match="no other checkpoint is left: remove it to begin anew"):
        newest_state(tmp_path)
    assert path.exists()


def test_no_checkpoint_is_no_error(tmp_path: Path) -> None:
    assert newest_state(tmp_path / "nowhere") is None


def test_a_checkpoint_of_the_first_kind_is_read(tmp_path: Path) -> None:
    module, optimizer = trained(0)
    path = save_state(tmp_path, {"module": module}, optimizer, {"step": 3}, keep=1)
    save_file(load_file(path), tmp_path / "state.safetensors", metadata={"counters": '{"step": 3}'})
    path.unlink()
    assert newest_state(tmp_path) == tmp_path / "state.safetensors"
    assert load_state(tmp_path / "state.safetensors", {"module": module}, optimizer) == {"step": 3}
    save(tmp_path, 4)
    assert newest_state(tmp_path) == tmp_path / "state-000004.safetensors"


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("optimizer.0.more", torch.zeros(7)),
        ("optimizer.99.exp_avg", torch.zeros(3)),
        ("optimizer.first.exp_avg", torch.zeros(4, 3)),
        ("optimizer.nothing", torch.zeros(())),
    ],
)
def test_moments_that_do_not_fit_are_damage(tmp_path: Path, name: str, tensor: torch.Tensor) -> None:
    module, optimizer = trained(0)
    path = save(tmp_path, 3)
    save_file({**load_file(path), name: tensor}, path, metadata={"counters": '{"step": 3}'})
    with pytest.raises(DamagedError, match=r"safetensors: damaged: the optimizer's moments: "):
        load_state(path, {"module": module}, optimizer)


def test_moments_that_are_missing_are_damage(tmp_path: Path) -> None:
    module, optimizer = trained(0)
    path = save(tmp_path, 3)
    tensors = {name: tensor for name, tensor in load_file(path).items() if not name.endswith(".step")}
    save_file(tensors, path, metadata={"counters": '{"step": 3}'})
    with pytest.raises(DamagedError, match=r"safetensors: damaged: the optimizer's moments: 'step'"):
        load_state(path, {"module": module}, optimizer)


@pytest.mark.parametrize("counters", ["3", "[]", "{}", '{"step": "3"}'])
def test_counters_without_a_step_are_damage(tmp_path: Path, counters: str) -> None:
    path = save(tmp_path, 3)
    save_file(load_file(path), path, metadata={"counters": counters})
    with pytest.raises(DamagedError, match=r"safetensors: damaged: "):
        newest_state(tmp_path)


def test_another_models_state_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    other = nn.Linear(7, 7)
    with pytest.raises(VqspeechError, match="of another model"):
        load_state(path, {"module": other}, torch.optim.AdamW(other.parameters()))


def test_a_full_disk_keeps_the_checkpoints_that_are_there(tmp_path: Path) -> None:
    before = save(tmp_path, 2, keep=1)
    with pytest.raises(OSError, match=r"state-000004\.safetensors"), full_disk(1000):
        save(tmp_path, 4, keep=1)
    assert list(tmp_path.iterdir()) == [before]
    assert newest_state(tmp_path) == before


@pytest.mark.parametrize("counters", [{"step": 3, "identity": 5}, {"step": 3, "minutes": "x"}, {"step": True}, {}])
def test_counters_of_another_kind_are_damage(tmp_path: Path, counters: dict) -> None:
    save(tmp_path, 2)
    text = json.dumps(counters)
    tensors = {"module.weight": torch.zeros(1)}
    save_file(tensors, tmp_path / "state-000003.safetensors", {"counters": text, "sha256": checksum(tensors, text)})
    # A name that training would not give is no checkpoint.
    (tmp_path / "state-best.safetensors").write_bytes(b"")
    assert newest_state(tmp_path).name == "state-000002.safetensors"
