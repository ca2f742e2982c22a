"""What the processes of a distributed run have to agree on.

All ranks are seeded alike, and draw as one process would for the batch that they share.
"""

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor


def sum_over_ranks(tensor: Tensor) -> None:
    """Put the sum over all ranks in the tensor's place."""
    if _distributed():
        dist.all_reduce(tensor)


def mean_over_ranks(tensor: Tensor) -> Tensor:
    """The mean over all ranks."""
    if not _distributed():
        return tensor
    tensor = tensor.clone()
    dist.all_reduce(tensor)
    return tensor / dist.get_world_size()


def from_first_rank(tensor: Tensor) -> Tensor:
    """The first rank's tensor, on every rank."""
    if _distributed():
        tensor = tensor.contiguous()
        dist.broadcast(tensor, 0)
    return tensor


def own_rows(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """This rank's rows of what `draw(count)` gives for the rows of all ranks, the first rank's first."""
    rank, ranks = _place()
    return draw(ranks * rows)[rank * rows : (rank + 1) * rows]


def draw_codes(chances: Tensor, draws: int) -> Tensor:
    """Draw codes `[M, draws]`, with replacement, by the chances `[M, K]` of this rank's M frames."""
    ends = chances.cumsum(1)
    uniform = own_rows(lambda rows: torch.rand(rows, draws, device=chances.device), len(chances))
    return torch.searchsorted(ends, uniform * ends[:, -1:], right=True).clamp(max=chances.shape[1] - 1)


def choose_rows(rows: Tensor, count: int) -> Tensor:
    """At most `count` different ones of all ranks' rows `[M, C]`, the same on every rank."""
    rank, ranks = _place()
    chosen = from_first_rank(torch.randperm(ranks * len(rows), device=rows.device)[:count])
    own = chosen - rank * len(rows)
    here = (own >= 0) & (own < len(rows))
    found = rows[own.clamp(0, len(rows) - 1)] * here.unsqueeze(1)
    sum_over_ranks(found)
    return found


def _place() -> tuple[int, int]:
    """This process's number, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if _distributed() else (0, 1)


def _distributed() -> bool:
    return dist.is_available() and dist.is_initialized()
