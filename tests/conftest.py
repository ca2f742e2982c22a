"""One tiny run of the whole recipe, in a copy of the repository, that the tests of recipe and README share."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TINY = {
    "VQSPEECH_MINIATURE_SPEAKERS": "4",
    "VQSPEECH_MINIATURE_SENTENCES": "8",
    "VQSPEECH_TRAIN_ARGS": "--training.max_steps 6 --model.bottleneck.start_steps 2 --model.decoder.layers 2",
    "VQSPEECH_EVALUATE_ARGS": "--seconds 1.2 --copies 4 --conversions 4",
    "OMP_NUM_THREADS": "1",
    "VQSPEECH_JUDGES": "/nonexistent",
}


@dataclass(frozen=True)
class Clone:
    """A copy of what a clone of the repository holds, apart from the package, which the environment has."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables that put the environment's programs on the PATH and make everything tiny."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path} | TINY

    def run(self, command: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the clone's environment."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=cwd or self.path,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def recipe(self, options: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run(f"bash recipes/vctk/run.sh {options}", **variables)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which nothing has been run yet, in a folder with a space in its name."""
    path = tmp_path_factory.mktemp("work") / "a clone"
    made = shutil.ignore_patterns("data", "dump", "exp", "downloads", "__pycache__")
    for folder in ("recipes", "egs"):
        shutil.copytree(ROOT / folder, path / folder, ignore=made)
    for file in ("README.md", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / file, path)
    return Clone(path)


@pytest.fixture(scope="session")
def finished(clone: Clone) -> tuple[Clone, subprocess.CompletedProcess[str]]:
    """A clone where `bash recipes/vctk/run.sh` has been run, and what it said."""
    ran = clone.recipe()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return clone, ran
