"""Trains every bottleneck in two processes, then in one: `python -m tests.two_ranks PORT` prints where they differ."""

import os
import sys

import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from tests.tiny import tiny_config
from vqspeech.data.dataset import Batch
from vqspeech.models.bottleneck import BOTTLENECKS
from vqspeech.models.vqvae import VQVAE
from vqspeech.training.vqvae import Losses

STEPS, START = 6, 2


def train(name: str, rows: slice) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Train on these rows of each batch, with k-means after two steps and restarts in each.

    Returns the losses, means over all ranks, and the weights and buffers.
    """
    torch.manual_seed(0)
    model = VQVAE(tiny_config(name=name, levels=(3, 4), ema_decay=0.5, restart=0.5, jitter=0.2).model, 2)
    losses: nn.Module = Losses(model)
    if distributed.is_initialized():
        losses = DistributedDataParallel(losses, find_unused_parameters=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    found = []
    for step in range(STEPS):
        torch.manual_seed(step)
        waveform = torch.rand(4, 640) - 0.5
        whole = Batch(waveform, torch.tensor([0, 1, 1, 0]), torch.tensor([640, 400, 640, 30]), heard=waveform)
        if step == START:
            model.bottleneck.start(torch.randn(200, 4))
        optimizer.zero_grad()
        loss = losses(Batch(*(part[rows] for part in whole)))["loss"]
        loss.backward()
        optimizer.step()
        mean = loss.detach().clone()
        if distributed.is_initialized():
            distributed.all_reduce(mean)
            mean /= distributed.get_world_size()
        found.append(mean)
    return found, model.state_dict()


def work(rank: int, port: str) -> None:
    """Train as one of two ranks; the first of them trains alone afterwards."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    shared = {name: train(name, slice(2 * rank, 2 * rank + 2)) for name in BOTTLENECKS}
    both: list = [None, None]
    distributed.all_gather_object(both, shared)
    distributed.destroy_process_group()
    if rank:
        return
    for name in BOTTLENECKS:
        (losses, state), (_, other) = both[0][name], both[1][name]
        for key in (key for key in state if not torch.equal(state[key], other[key])):
            print(name, key, "is not the same on both ranks")
        alone, one = train(name, slice(None))
        for step in (step for step in range(STEPS) if not torch.allclose(losses[step], alone[step], rtol=1e-5)):
            print(name, f"loss of step {step} is {losses[step]:.6f} on two ranks, {alone[step]:.6f} on one")
        for key in (key for key in state if not torch.allclose(state[key], one[key], rtol=1e-3, atol=1e-5)):
            print(name, key, f"differs from one rank by {(state[key] - one[key]).abs().max():.1e}")


if __name__ == "__main__":
    multiprocessing.spawn(work, (sys.argv[1],), nprocs=2)
