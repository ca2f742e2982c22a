"""Where training writes what it sees: `metrics.jsonl` always, tensorboard when it is installed."""

import json
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from torch import Tensor

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.progress import say


class TrainingLog:
    """Scalars as JSON lines and tensorboard events in one folder.

    On resume lines after `first_step` are dropped, and its evaluation when that is `due` once more.
    """

    def __init__(self, folder: Path, first_step: int, due: bool = False, enabled: bool = True) -> None:
        self.folder, self.enabled = folder, enabled
        self.restart_clock(first_step)
        self.writer: Any = None
        self.file: IO[str] | None = None
        if not enabled:
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.jsonl"
        if path.is_symlink():
            # Whoever made the folder could have any file of ours replaced by a log.
            raise VqspeechError(f"{path}: is a link, which is not followed")
        lines = read_metrics(path) if first_step else []
        with atomic_write(path) as file:
            file.writelines(
                json.dumps(line) + "\n"
                for line in lines
                if line["step"] <= first_step and not (due and line["step"] == first_step and line["split"] == "dev")
            )
        self.file = path.open("a", encoding="utf-8")
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            say("tensorboard is not installed: writing metrics.jsonl alone")
        else:
            self.writer = SummaryWriter(folder, purge_step=first_step + 1 if first_step else None)

    def write(self, split: str, step: int, minutes: float, values: dict[str, Any]) -> None:
        """Log the numbers among `values`; a histogram is a tensor, audio a pair of tensor and sample rate."""
        if not self.enabled or self.file is None:
            return
        scalars = {name: value for name, value in values.items() if isinstance(value, int | float)}
        line = {"split": split, "step": step, "minutes": round(minutes, 3), **scalars}
        try:
            self.file.write(json.dumps(line) + "\n")
            self.file.flush()
        except OSError as error:
            error.filename = self.file.name
            raise
        shown = ", ".join(f"{name} {value:.4g}" for name, value in scalars.items())
        say(f"{split} step {step} ({minutes:.1f} min): {shown}")
        if self.writer is None:
            return
        for name, value in values.items():
            if name in scalars:
                self.writer.add_scalar(f"{split}/{name}", value, step)
            elif isinstance(value, Tensor):
                self.writer.add_histogram(f"{split}/{name}", value, step)
            else:
                waveform, rate = value
                self.writer.add_audio(f"{split}/{name}", waveform, step, sample_rate=rate)

    def write_steps(self, step: int, minutes: float, values: dict[str, Any], samples: int) -> None:
        """Log training scalars with the speed (of `samples` a step) since the clock was restarted, and restart it."""
        speed = (step - self.marked_step) * samples / (time.monotonic() - self.marked_time)
        self.write("train", step, minutes, values | {"samples_per_second": speed})
        self.restart_clock(step)

    def restart_clock(self, step: int) -> None:
        """Leave the time until now out of the training speed."""
        self.marked_time, self.marked_step = time.monotonic(), step

    def __enter__(self) -> Self:
        # tensorboard's thread would show a full disk as a traceback; we are told of it too, when we write or close.
        self.hook, threading.excepthook = threading.excepthook, lambda _: None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.file is not None:
            self.file.close()
        try:
            if self.writer is not None:
                self.writer.close()
        except OSError as failed:
            if error is None:  # else that one tells more
                failed.filename = str(self.folder)
                raise
        finally:
            threading.excepthook = self.hook


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a `metrics.jsonl`; none when there is no such file.

    A line that a crash cut short is left out. Raises VqspeechError for one that is whole, but of no training log.
    """
    if not path.exists():
        return []
    lines = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found = json.loads(line.decode())
        except (ValueError, RecursionError):
            continue
        if not _is_line(found):
            raise VqspeechError(f"{path} is damaged: line {number} is of no training log")
        lines.append(found)
    return lines


def _is_line(found: Any) -> bool:
    if not isinstance(found, dict) or type(found.get("split")) is not str or type(found.get("step")) is not int:
        return False
    return all(isinstance(value, int | float) for key, value in found.items() if key != "split")
