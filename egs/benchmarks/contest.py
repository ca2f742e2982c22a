"""Contests: several ways to do one thing, timed in turn in one run on the same cores."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import torch

CORES = sorted(os.sched_getaffinity(0))
Work = Callable[[], float]
"""Does some work once and returns how many units of it that was."""


@dataclass(frozen=True)
class Result:
    """What one contestant reached."""

    contest: str
    contestant: str
    unit: str
    median: float
    low: float
    high: float
    note: str = ""


def race(contest: str, unit: str, contestants: Mapping[str, Work], rounds: int) -> list[Result]:
    """Units per second of every contestant, in turn, so that a busy moment of the machine befalls all of them."""
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()  # what is compiled or allocated once is not counted
    for _ in range(rounds):
        for name, work in contestants.items():
            start = time.perf_counter()
            amount = work()
            rates[name].append(amount / (time.perf_counter() - start))
    return [
        Result(contest, name, unit, median(rates[name]), min(rates[name]), max(rates[name])) for name in contestants
    ]


def use_cores(count: int) -> None:
    """Keep this process, and torch's threads, on the first `count` of its cores."""
    os.sched_setaffinity(0, CORES[:count])
    torch.set_num_threads(count)


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    names = [line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    packages = ("torch", "numpy", "numba", "wavenet_vocoder", "encodec", "vector-quantize-pytorch")
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "bfloat16": torch.ops.mkldnn._is_mkldnn_bf16_supported(),
        "python": platform.python_version(),
        **{name: _version(name) for name in packages},
    }


def markdown(head: Mapping[str, Any], command: str, results: Sequence[Result]) -> str:
    """A table for each contest; the last column compares with its first contestant."""
    lines = [f"`{command}`", "", ", ".join(f"{key} {value}" for key, value in head.items())]
    for contest in dict.fromkeys(result.contest for result in results):
        entries = [result for result in results if result.contest == contest]
        lines += ["", f"**{contest}**", "", "| | median | spread | relative | |", "| --- | --- | --- | --- | --- |"]
        for one in entries:
            spread = f"{_number(one.low)} .. {_number(one.high)}"
            relative = one.median / entries[0].median
            lines.append(
                f"| {one.contestant} | {_number(one.median)} {one.unit} | {spread} | {relative:.2f}x | {one.note} |"
            )
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
