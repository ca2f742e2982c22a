import numpy as np
import pytest

from vqspeech.windows import cut_at_pauses, windows

HOP, CONTEXT = 4, 2


def smooth(samples: np.ndarray) -> np.ndarray:
    """A frame is the sum of the samples of its neighbourhood: what an encoder of this context does."""
    samples = np.pad(samples, (0, -len(samples) % HOP))
    frames = np.pad(samples.reshape(-1, HOP).sum(1), CONTEXT)
    return sum(frames[i : len(frames) - 2 * CONTEXT + i] for i in range(2 * CONTEXT + 1))


@pytest.mark.parametrize("length", [1, 3, 4, 39, 40, 41, 79, 80, 88, 100, 401])
@pytest.mark.parametrize("block", [1, 7, 40, 1000])
def test_frames_are_those_of_the_whole(length: int, block: int) -> None:
    signal = np.arange(1, length + 1)
    blocks = [signal[i : i + block] for i in range(0, length, block)]
    found = list(windows(blocks, HOP, 10, CONTEXT))
    assert np.array_equal(np.concatenate([smooth(samples)[frames] for samples, frames in found]), smooth(signal))
    whole = list(windows([signal], HOP, 10, CONTEXT))
    for window, same in zip(found, whole, strict=True):
        assert np.array_equal(window.samples, same.samples)
        assert window.frames == same.frames
    assert max(len(samples) for samples, _ in found) <= (10 + 2 * CONTEXT) * HOP


@pytest.mark.parametrize("length", [1, 11, 12, 20, 100, 401])
def test_a_first_window_of_another_size_changes_no_frame(length: int) -> None:
    signal = np.arange(1, length + 1)
    found = list(windows([signal], HOP, 10, CONTEXT, lead=3))
    assert np.array_equal(np.concatenate([smooth(samples)[frames] for samples, frames in found]), smooth(signal))
    sizes = [frames.stop - frames.start for _, frames in found]
    assert sizes[0] == min(3, -(-length // HOP)) and set(sizes[1:-1]) <= {10}


def test_nothing_has_no_windows() -> None:
    assert list(windows([], HOP, 10, CONTEXT)) == []


@pytest.mark.parametrize("block", [1, 13, 1000])
def test_parts_are_cut_where_it_is_quietest(block: int) -> None:
    items = np.arange(350)
    power = np.ones(350)
    for pause in (130, 260):
        power[pause - 2 : pause + 3] = 0.1
    blocks = [(items[i : i + block], power[i : i + block]) for i in range(0, 350, block)]
    parts = list(cut_at_pauses(blocks, shortest=100, margin=20, smooth=5))
    assert [part.samples[part.first] for part in parts] == [0, 130, 260]
    assert np.array_equal(np.concatenate([part.samples[part.first : part.last] for part in parts]), items)
    for part in parts:
        assert part.first == min(20, part.samples[part.first])
        assert len(part.samples) - part.last == min(20, 349 - part.samples[part.last - 1])


def test_a_short_signal_is_one_part() -> None:
    (part,) = cut_at_pauses([(np.arange(150), np.ones(150))], shortest=100, margin=20)
    assert (part.first, part.last, len(part.samples)) == (0, 150, 150)
    assert list(cut_at_pauses([], shortest=100, margin=20)) == []
