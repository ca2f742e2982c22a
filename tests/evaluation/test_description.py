from pathlib import Path

import pytest

import vqspeech
from vqspeech.evaluation import description


def test_the_environment_names_what_results_depend_on() -> None:
    found = description.describe_environment()
    assert len(found["date"]) == len("2000-01-01")
    assert "cores" in found["machine"]
    assert {"vqspeech", "python", "torch", "numpy"} <= found["versions"].keys()


def test_a_commit_of_someone_elses_repository_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages" / "vqspeech" / "__init__.py"
    monkeypatch.setattr(vqspeech, "__file__", str(installed))
    monkeypatch.setattr(description.subprocess, "check_output", lambda command, **options: f"{tmp_path}\n")
    assert description.commit() is None


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert description.commit() is None
