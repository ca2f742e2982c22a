"""Trains every bottleneck for some steps in two processes: `python -m tests.two_ranks` prints whose ranks differ."""

import os
import sys

import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.tiny import tiny_config
from vqspeech.data.dataset import Batch
from vqspeech.models.bottleneck import BOTTLENECKS
from vqspeech.models.vqvae import VQVAE
from vqspeech.training.vqvae import Losses

STEPS, START = 6, 2


def train(rank: int, port: str) -> None:
    """Train on this rank's own audio, with k-means after two steps and restarts in each."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=2)
    for name in BOTTLENECKS:
        torch.manual_seed(0)
        model = VQVAE(tiny_config(name=name, levels=(3, 4), restart=0.5, jitter=0.2).model, 2)
        parallel = DistributedDataParallel(Losses(model), find_unused_parameters=True)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for step in range(STEPS):
            torch.manual_seed(1000 * step + rank)
            if step == START:
                model.bottleneck.start(torch.randn(200, 4))
            waveform = torch.rand(2, 640) - 0.5
            batch = Batch(waveform, torch.tensor([0, 1]), torch.tensor([640, 400]), heard=waveform)
            optimizer.zero_grad()
            parallel(batch)["loss"].backward()
            optimizer.step()
        states: list = [None, None]
        distributed.all_gather_object(states, model.state_dict())
        differing = [key for key in states[0] if not torch.equal(states[0][key], states[1][key])]
        if rank == 0 and differing:
            print(name, *differing)
    distributed.destroy_process_group()


if __name__ == "__main__":
    multiprocessing.spawn(train, (sys.argv[1],), nprocs=2)
