import threading
from collections.abc import Iterator

import pytest
import torch

from vqspeech.parallel import in_order


@pytest.fixture(params=[1, 3])
def threads(request) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


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
