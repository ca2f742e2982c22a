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
def meter(description: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Give a function that shows how much is done; for work that is no loop over items."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(desc=description, total=total, unit=unit, file=sys.stderr, dynamic_ncols=True) as bar:
            yield lambda count: bar.update(count - bar.n)
    else:
        lines = _Lines(description, total, unit)
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

    def __init__(self, description: str, total: int | None, unit: str) -> None:
        self.description, self.unit = description, unit
        self.of_total = "" if total is None else f"/{total}"
        self.start = self.last = time.monotonic()
        self.count = 0
        say(self._state())

    def show(self, count: int) -> None:
        self.count = count
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            say(f"{self._state()}, {count / (now - self.start):.3g} {self.unit}/s")

    def end(self) -> None:
        say(f"{self._state()} in {time.monotonic() - self.start:.1f} s")

    def _state(self) -> str:
        return f"{self.description}: {self.count}{self.of_total} {self.unit}"
