"""Ctrl-C and a scheduler's SIGTERM end training after the step under way, not in the middle of it."""

import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupt:
    """Notes the first SIGINT or SIGTERM within its block; a second Ctrl-C acts at once.

    SIGTERM does not: schedulers send it to every process of a job, and wrappers hand it on.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def leave(self, number: int) -> None:
        """End the program as this signal would have: KeyboardInterrupt, or exit code 143."""
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + signal.SIGTERM)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            return
        self.signal = number
        signal.signal(signal.SIGINT, self.before[signal.SIGINT])
        # Not by print, within which the signal may have come.
        os.write(2, b"stopping after this step; Ctrl-C again stops at once\n")

    def _restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
