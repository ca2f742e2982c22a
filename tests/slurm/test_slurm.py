"""run_job.py on a real Slurm of two nodes, where the host has one; `make slurm` does more."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, cluster, missing, text, wait_for_two


@pytest.fixture(scope="module")
def slurm() -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as made:
        yield made


def test_killed_jobs_are_submitted_again(slurm: Cluster, tmp_path: Path) -> None:
    job = slurm.two_jobs(tmp_path)
    wait_for_two(tmp_path)
    for node in ("n1", "n2"):
        slurm.kill_job(node)
    _, said = job.communicate(timeout=600)
    assert job.returncode == 0, said
    assert said.count("killed (code 137), submitted again") == 2
    assert text(tmp_path).count("\npart ") == 4
    assert text(tmp_path).count("(code 0)") == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".log", ".log"]


def test_failed_jobs_are_not_and_retries_end(slurm: Cluster, tmp_path: Path) -> None:
    failed = slurm.two_jobs(tmp_path / "failed", "echo part JOB; exit 3")
    _, said = failed.communicate(timeout=600)
    assert (failed.returncode, text(tmp_path / "failed").count("\npart ")) == (1, 2), said

    killed = slurm.two_jobs(tmp_path / "killed", "echo part JOB; kill -9 $$", "--retries", "1")
    _, said = killed.communicate(timeout=600)
    assert (killed.returncode, text(tmp_path / "killed").count("\npart ")) == (1, 4), said
