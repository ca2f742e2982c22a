import pytest
import torch
from torch import nn

from tests.tiny import tiny_config
from vqspeech.models.vqvae import VQVAE
from vqspeech.training.muon import Muon, orthogonalised

BETAS = (0.9, 0.99)


def moved(optimizer: torch.optim.Optimizer, steps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizer.step()


def test_a_matrix_steps_as_by_torchs_muon() -> None:
    ours, theirs = nn.Linear(24, 40, bias=False), nn.Linear(24, 40, bias=False)
    theirs.load_state_dict(ours.state_dict())
    start = ours.weight.detach().clone()
    moved(Muon(ours, 1e-2, BETAS, weight_decay=0.1), 5)
    moved(torch.optim.Muon(theirs.parameters(), 1e-2, 0.1, adjust_lr_fn="match_rms_adamw"), 5)
    # PyTorch's iterates in bfloat16, whose rounding shows.
    difference = (ours.weight - theirs.weight).norm() / (ours.weight - start).norm()
    assert difference < 0.02


def test_singular_values_come_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((3, 20, 8), (3, 8, 20), (16, 16)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.3 and values.max() < 1.25


def test_what_is_no_hidden_matrix_steps_as_by_adamw() -> None:
    class Ends(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.norm, self.final = nn.Embedding(7, 4), nn.LayerNorm(4), nn.Linear(4, 3)
            self.codebook = nn.Parameter(torch.ones(5, 4))

    ours, theirs = Ends(), Ends()
    theirs.load_state_dict(ours.state_dict())
    moved(Muon(ours, 1e-2, BETAS, weight_decay=0.1), 5)
    moved(torch.optim.AdamW(theirs.parameters(), 1e-2, BETAS, weight_decay=0.1), 5)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other)


def test_convolutions_are_one_matrix_and_stacks_several() -> None:
    convolution, stack = nn.Conv1d(6, 5, 3, bias=False), nn.Module()
    stack.weights = nn.Parameter(torch.randn(2, 3, 4, 8))
    for module, matrices in ((convolution, lambda w: w.flatten(1)), (stack, lambda w: w)):
        (parameter,) = module.parameters()
        start = parameter.detach().clone()
        moved(Muon(module, 1.0, BETAS, weight_decay=0.0), 1)
        step = matrices(start - parameter.detach())
        values = torch.linalg.svdvals(step / 0.2 / max(step.shape[-2:]) ** 0.5)
        assert values.min() > 0.3 and values.max() < 1.25


@pytest.mark.parametrize("name", ["vq", "rvq", "nvil"])
def test_every_parameter_of_a_model_moves(name: str) -> None:
    model = VQVAE(tiny_config(name=name).model, 2)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    moved(Muon(model, 1e-2, BETAS, weight_decay=0.0), 1)
    assert not [name for name, parameter in model.named_parameters() if torch.equal(parameter, before[name])]
