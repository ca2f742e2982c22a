"""What the processes of a distributed run have to agree on."""

import torch.distributed as dist
from torch import Tensor


def sum_over_ranks(tensor: Tensor) -> None:
    """Put the sum over all ranks in the tensor's place."""
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor)


def mean_over_ranks(tensor: Tensor) -> Tensor:
    """The mean over all ranks."""
    if not (dist.is_available() and dist.is_initialized()):
        return tensor
    tensor = tensor.clone()
    dist.all_reduce(tensor)
    return tensor / dist.get_world_size()


def from_first_rank(tensor: Tensor) -> Tensor:
    """The first rank's tensor, on every rank."""
    if dist.is_available() and dist.is_initialized():
        tensor = tensor.contiguous()
        dist.broadcast(tensor, 0)
    return tensor
