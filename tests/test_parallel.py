import operator
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial

import pytest
import torch

from vqspeech.errors import UsageError, VqspeechError
from vqspeech.parallel import Part, in_order, in_processes


@pytest.fixture(params=[1, 3])
def threads(request) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_parts_are_all_of_it_and_nothing_twice() -> None:
    assert [list(Part(job, 3).span(7)) for job in (1, 2, 3)] == [[0, 1], [2, 3], [4, 5, 6]]
    assert [len(Part(job, 5).span(2)) for job in range(1, 6)] == [0, 0, 1, 0, 1]
    assert Part.parse("2/4") == Part(2, 4)


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "-1/4", "a/b", "1/2/3"])
def test_a_part_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"give J/N, the number of a job from 1 to N"):
        Part.parse(text)


def test_results_come_in_order_and_each_thread_has_torch_to_itself(threads: int) -> None:
    busy = threading.Barrier(threads)

    def work(item: int) -> tuple[int, int]:
        if item < threads:
            busy.wait(timeout=60)  # all threads are at work at once
        return item, torch.get_num_threads()

    assert list(in_order(work, range(50))) == [(item, 1) for item in range(50)]
    assert torch.get_num_threads() == threads


def test_a_stream_without_end_is_begun_only_a_little_ahead(threads: int) -> None:
    begun = []

    def items() -> Iterator[int]:
        for item in range(1000):
            begun.append(item)
            yield item

    stream = in_order(lambda item: item, items())
    assert [next(stream) for _ in range(5)] == [0, 1, 2, 3, 4]
    stream.close()
    assert len(begun) < 20


def test_an_error_ends_it(threads: int) -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        return item

    with pytest.raises(ValueError, match="three"):
        list(in_order(work, range(10)))
    assert torch.get_num_threads() == threads


def test_processes_give_results_in_order_and_one_that_is_killed_is_told() -> None:
    assert list(in_processes(partial(operator.mul, 2), range(20), nj=2)) == list(range(0, 40, 2))
    with pytest.raises(VqspeechError, match=r"a process was killed, .* try a smaller --nj"):
        list(in_processes(signal.raise_signal, [signal.SIGKILL], nj=1))


def test_processes_are_started_deaf_to_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    blocked: list[bool] = []

    def submit(*_: object) -> Future[int]:
        blocked.append(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        done: Future[int] = Future()
        done.set_result(os.getpid())
        return done

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    assert len(list(in_processes(abs, [1], nj=2))) == 1
    assert blocked == [True] and signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_whoever_ends_the_program_does_not_wait_for_what_is_under_way(error: type[BaseException]) -> None:
    torch_threads = torch.get_num_threads()
    go_on, ended = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item:
            go_on.wait(timeout=60)
            ended.set()
        return item

    def items() -> Iterator[int]:
        yield from range(5)
        raise error

    with pytest.raises(error):
        list(in_order(work, items(), threads=2))
    assert not ended.is_set()
    go_on.set()
    torch.set_num_threads(torch_threads)
