"""Where and when a result was measured: machine, date, commit, versions."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import vqspeech

PACKAGES = ("torch", "numpy", "numba", "librosa", "scikit-learn")


def environment() -> dict[str, Any]:
    """Date (UTC), commit, machine and versions, as plain JSON values."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> str:
    """The processor, its usable cores and the threads torch takes, and the GPUs, in words."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    words = [f"{processor()}, {cores} cores, {torch.get_num_threads()} threads"]
    words += [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return "; ".join(words)


def processor() -> str:
    """The processor's name where Linux tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str | None:
    """The short commit of the checkout that vqspeech runs from, `+` if files differ; None outside one."""
    package = Path(vqspeech.__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.check_output(
            ["git", "-C", str(package), *arguments], text=True, stderr=subprocess.DEVNULL
        ).strip()

    try:
        # A wheel in an environment inside someone's own repository must not report that one's commit.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != package.parent:
            return None
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def versions() -> dict[str, str]:
    """Versions of vqspeech, Python and the installed packages that results depend on."""
    found = {"vqspeech": vqspeech.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
