"""Many recordings in one or several voices."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import torch

from vqspeech import audio
from vqspeech.conversion.plan import Conversion
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.parallel import in_order
from vqspeech.progress import meter, say

if TYPE_CHECKING:
    from vqspeech.codec import Codec


def convert_files(
    codec: "Codec",
    conversions: Sequence[Conversion],
    temperature: float | None = None,
    seed: int = 0,
    cut: bool = True,
    force: bool = False,
    jobs: int | None = None,
) -> Iterator[Path]:
    """Convert as `Codec.convert_file` does, `jobs` at once (default: one a core); yield each output that there is.

    Outputs that exist are kept unless `force`. A conversion that fails does not keep the others from being made.
    Raises UsageError for less than one at once, and VqspeechError at the end when any failed; the list of them goes to
    stderr.
    """
    if jobs is not None and jobs < 1:
        raise UsageError(f"--nj {jobs}: convert one or more at once")
    for speaker in {one.speaker for one in conversions}:
        codec.voice(speaker, temperature, seed)
    kept = [] if force else [one.out for one in conversions if one.out.exists()]
    missing = [one for one in conversions if force or not one.out.exists()]
    if kept:
        say(f"kept {kept[0]} {f'and {len(kept) - 1} more ' if kept[1:] else ''}as it was; -f makes anew what exists")
    yield from kept
    if not missing:
        return
    started = time.monotonic()
    failures: list[str] = []
    work = _Work(codec, temperature, seed, cut)
    threads = min(jobs or torch.get_num_threads(), len(missing))
    with meter("convert", round(sum(map(_seconds, missing))), "s of audio", real_time=True) as work.show:
        try:
            for one, failure in zip(missing, in_order(work.convert, missing, threads), strict=True):
                if failure is None:
                    yield one.out
                elif len(conversions) == 1:
                    raise failure
                else:
                    failures.append(str(failure))
        finally:
            work.stopped = True
    if len(conversions) > 1:
        seconds = time.monotonic() - started
        made = len(missing) - len(failures)
        say(
            f"{made} converted, {len(kept)} kept, {len(failures)} failed: {work.done:.0f} s of audio in {seconds:.0f} s"
        )
    for failure in dict.fromkeys(failures):
        say(f"failed: {failure}")
    if failures:
        raise VqspeechError(f"{len(failures)} of {len(conversions)} conversions failed; the list is above")


class _Stopped(Exception):
    """Nobody waits for this conversion any more."""


class _Work:
    """What the threads share."""

    def __init__(self, codec: "Codec", temperature: float | None, seed: int, cut: bool) -> None:
        self.codec, self.temperature, self.seed, self.cut = codec, temperature, seed, cut
        self.show: Callable[[int], None] = lambda _: None
        self.done = 0.0
        """Seconds of audio."""
        self.stopped = False
        self.lock = Lock()

    def convert(self, one: Conversion) -> Exception | None:
        """Convert one recording, or return why that could not be done."""
        before = 0.0

        def heard(seconds: float) -> None:
            nonlocal before
            if self.stopped:
                raise _Stopped
            with self.lock:
                self.done += seconds - before
                self.show(round(self.done))
            before = seconds

        try:
            self.codec.convert_file(one.source, one.speaker, one.out, self.temperature, self.seed, self.cut, heard)
        except (VqspeechError, OSError) as error:
            return error
        return None


def _seconds(one: Conversion) -> float:
    try:
        return audio.duration(one.source)
    except VqspeechError:
        return 0.0  # the conversion will tell what is wrong
