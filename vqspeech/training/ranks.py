"""Several processes that train one model: who starts them, and what ends them together."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import ClusterEnvironment, LightningEnvironment, TorchElasticEnvironment

from vqspeech.errors import VqspeechError


def started_ranks(devices: int, nodes: int) -> tuple[int, int]:
    """Devices a machine and machines: those asked for, or those for which torchrun has started processes."""
    if not TorchElasticEnvironment.detect():
        return devices, nodes
    local, ranks = int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["WORLD_SIZE"])
    return local, ranks // local


def starter() -> list[ClusterEnvironment]:
    """Plugins of Fabric that say who starts processes, where it would guess wrong.

    In a Slurm job Fabric takes all of them for started by Slurm; in one of a single task (as `run_job.py` submits)
    they are left to start. Where Slurm is there but not used, it warns.
    """
    slurm = shutil.which("srun") is not None and not TorchElasticEnvironment.detect()
    return [LightningEnvironment()] if slurm and os.environ.get("SLURM_NTASKS", "1") == "1" else []


@contextmanager
def lost_ranks_told(fabric: Fabric) -> Iterator[None]:
    """Say in a sentence what the end of another rank does to this one: PyTorch tells of sockets.

    Raises VqspeechError.
    """
    try:
        yield
    except RuntimeError as error:
        lost = isinstance(error, dist.DistError) or "gloo" in str(error)
        if fabric.world_size == 1 or not lost:
            raise
        raise VqspeechError(
            f"rank {fabric.global_rank} lost another process of this training, of which its own message tells more; "
            "--resume goes on from the last checkpoint, on any number of ranks"
        ) from error


def leave_together(fabric: Fabric) -> None:
    """Wait for all ranks before this one ends.

    Fabric kills the first rank when one that it started ends with an exit code, as all are about to.
    """
    processes = getattr(fabric.strategy.launcher, "procs", None)
    if processes:
        processes.clear()
    fabric.barrier()
