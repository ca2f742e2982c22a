"""The same work on many items, on all cores at once and in order."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

from vqspeech.errors import UsageError, VqspeechError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Part:
    """The share of one of `jobs` jobs in a work of many items; `job` counts from 1."""

    job: int
    jobs: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """`2/4`; raises UsageError."""
        job, _, jobs = text.partition("/")
        if not (job.isdecimal() and jobs.isdecimal() and 1 <= int(job) <= int(jobs)):
            raise UsageError(f"--part {text}: give J/N, the number of a job from 1 to N and how many there are")
        return cls(int(job), int(jobs))

    def span(self, items: int) -> range:
        """The numbers of its items, which follow each other; those of all jobs together are `range(items)`."""
        return range((self.job - 1) * items // self.jobs, self.job * items // self.jobs)


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int | None = None) -> Iterator[R]:
    """Yield `work(item)` for each item, done by so many threads, or as many as torch has, each with torch to itself.

    Torch on one core gives the same bits whatever the number of cores, which torch on all of them does not, and
    several items side by side take less time than one after the other on all cores. Only a few are begun ahead of the
    one that is wanted, so that a stream without end is no trouble. One thread takes one by one, with torch as it is; a
    call in such a thread does so as well.
    """
    import torch

    before = torch.get_num_threads()
    threads = threads or before
    if threads == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    wait = True
    try:
        yield from _results(lambda item: pool.submit(work, item), items, 2 * threads)
    except (KeyboardInterrupt, SystemExit):
        wait = False  # nor does whoever interrupts or terminates it
        raise
    finally:
        pool.shutdown(wait, cancel_futures=True)
        # What a thread sets for itself, torch keeps for the threads that come after it.
        torch.set_num_threads(before)


@contextmanager
def on_one_core() -> Iterator[None]:
    """Keep torch to one core, where it gives the same bits whatever the number of cores."""
    import torch

    before = torch.get_num_threads()
    if before > 1:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if before > 1:
            torch.set_num_threads(before)


def in_processes(work: Callable[[T], R], items: Iterable[T], nj: int) -> Iterator[R]:
    """Yield `work(item)` for each item, done by `nj` processes; what goes to and from them is pickled.

    As many are begun ahead as in `in_order`. The processes leave Ctrl-C to this one, and end when it ends, however
    that happens. Raises VqspeechError when one of them is killed.
    """
    # A process that is forked may inherit a lock that no one will release; a fresh one has none.
    pool = ProcessPoolExecutor(nj, multiprocessing.get_context("spawn"), initializer=_follow_the_parent)

    def submit(item: T) -> Future[R]:
        with _interrupts_held():
            return pool.submit(work, item)

    try:
        yield from _results(submit, items, 2 * nj)
    except BrokenProcessPool as error:
        raise VqspeechError("a process was killed, perhaps for want of memory; try a smaller --nj") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _results(submit: Callable[[T], Future[R]], items: Iterable[T], ahead: int) -> Iterator[R]:
    """The results of all items in order, with no more than so many begun ahead of the one that is wanted."""
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(submit(item))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait; a process that is started meanwhile never meets it, not even while it imports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _follow_the_parent() -> None:
    """Leave interrupts to the parent process, and end when it ends, however that happens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
