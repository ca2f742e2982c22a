"""How long work shows itself on stderr: a bar on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
SECONDS_BETWEEN_LINES = 10.0


def progress(iterable: Iterable[T], description: str, total: int | None = None, unit: str = "it") -> Iterator[T]:
    """Yield the items of `iterable` and show how far it is.

    `total` is the number of items, for an iterable that has no length of its own.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    with meter(description, total, unit) as show:
        for count, item in enumerate(iterable, start=1):
            yield item
            show(count)


@contextmanager
def meter(description: str, total: int | None, unit: str, real_time: bool = False) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how much is done; for work that is no loop over items.

    With `real_time`, for a total in seconds of audio, the real-time factor is shown in place of the speed.
    """
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=description, total=total, unit=unit, file=sys.stderr, dynamic_ncols=True) as bar:

            def update(count: int) -> None:
                if real_time:
                    elapsed = time.monotonic() - started
                    bar.set_postfix_str(_real_time_factor(count, elapsed), refresh=False)
                bar.update(count - bar.n)

            started = time.monotonic()
            yield update
    else:
        lines = _Lines(description, total, unit, real_time)
        yield lines.show
        lines.end()


def say(message: str) -> None:
    """Print a message line on stderr, above a progress bar if there is one."""
    if sys.stderr.isatty() and "tqdm" in sys.modules:
        from tqdm import tqdm

        tqdm.write(message, file=sys.stderr)
    else:
        print(message, file=sys.stderr, flush=True)


class _Lines:
    """A line at the start, one now and then, one at the end."""

    def __init__(self, description: str, total: int | None, unit: str, real_time: bool) -> None:
        self.description, self.total, self.unit, self.real_time = description, total, unit, real_time
        self.of_total = "" if total is None else f"/{total}"
        self.start = self.last = time.monotonic()
        self.count = 0
        say(self._state())

    def show(self, count: int) -> None:
        self.count = count
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            elapsed = now - self.start
            speed = _real_time_factor(count, elapsed) if self.real_time else f"{count / elapsed:.3g} {self.unit}/s"
            left = f", {elapsed / count * (self.total - count):.0f} s left" if count and self.total else ""
            say(f"{self._state()}, {speed}{left}")

    def end(self) -> None:
        elapsed = time.monotonic() - self.start
        factor = f", {_real_time_factor(self.count, elapsed)}" if self.real_time else ""
        say(f"{self._state()} in {elapsed:.1f} s{factor}")

    def _state(self) -> str:
        return f"{self.description}: {self.count}{self.of_total} {self.unit}"


def _real_time_factor(seconds: float, elapsed: float) -> str:
    return f"real-time factor {elapsed / seconds:.2f}" if seconds else "real-time factor unknown"
