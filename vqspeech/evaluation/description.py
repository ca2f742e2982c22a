"""What was measured, on what and where, in plain JSON values."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vqspeech
from vqspeech.data.prepare import SUMMARY
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.samples import Sample, wav_path
from vqspeech.evaluation.speech import Speech

if TYPE_CHECKING:
    from vqspeech.codec import Codec

PACKAGES = ("torch", "numpy", "numba", "librosa", "scikit-learn")


def describe_environment() -> dict[str, Any]:
    """Date (UTC), commit, machine and versions."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(),
    }


def describe_model(codec: "Codec", model: Path, log: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the model in the folder `model` is and how long it was trained, by its log."""
    return {
        "path": str(model),
        "sample_rate": codec.sample_rate,
        "hop": codec.hop,
        "rate": codec.sample_rate / codec.hop,
        "codes": codec.codes,
        "speakers": len(codec.speakers),
        "parameters": sum(weights.numel() for weights in codec.model.parameters()),
        "steps": log[-1]["step"] if log else None,
        "minutes": log[-1]["minutes"] if log else None,
    }


def describe_data(speech: Speech) -> dict[str, Any]:
    """How much speech a data dir holds, and what of it could not be read."""
    return {
        "path": str(speech.path),
        "utterances": len(speech),
        "hours": speech.hours,
        "speakers": len(speech.data.speakers),
        "skipped": speech.skipped,
    }


def describe_preparation(data: Path) -> dict[str, Any] | None:
    """What `vqspeech-prepare` could not use of the corpus; None for a data dir of another origin."""
    summary = data.parent / SUMMARY
    if not summary.is_file():
        return None
    try:
        facts = json.loads(summary.read_text(encoding="utf-8"))
        return {"skipped": facts["skipped"], "left_out": len(facts["left_out"])}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise VqspeechError(f"{summary}: damaged: {error}; remake it with vqspeech-prepare") from error


def describe_sample(sample: Sample, wavs: Path) -> dict[str, Any]:
    """Whose words and whose voice a sample under `wavs` is."""
    return {
        "source": sample.source.utterance,
        "source_speaker": sample.source.speaker,
        "seen": sample.source.seen,
        "speaker": sample.speaker,
        "wav": str(wav_path(sample, wavs)),
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
