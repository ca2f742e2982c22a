"""The same work on many items, on all cores at once and in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")


def in_order(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield `work(item)` for each item, done by as many threads as torch has, each with torch to itself.

    Torch on one core gives the same bits whatever the number of cores, which torch on all of them does not, and
    several items side by side take less time than one after the other on all cores. Only a few are begun ahead of the
    one that is wanted, so that a stream without end is no trouble. Called in such a thread, it takes one by one.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        yield from map(work, items)
        return
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > 2 * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
            # What a thread sets for itself, torch keeps for the threads that come after it.
            torch.set_num_threads(threads)
