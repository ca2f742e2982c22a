from pathlib import Path

import pytest

from vqspeech import lookup
from vqspeech.cli.lookup import find_model
from vqspeech.errors import UsageError, VqspeechError


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VQSPEECH_MODEL", raising=False)
    monkeypatch.setattr(lookup, "BOX", tmp_path / "box")


def make_model(folder: str) -> None:
    Path(folder).mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        Path(folder, file).touch()


def test_the_flag_wins_over_the_variable(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VQSPEECH_MODEL", "from-variable")
    assert find_model(Path("from-flag")) == Path("from-flag")
    assert find_model(None) == Path("from-variable")


def test_the_model_in_the_package_comes_last(monkeypatch: pytest.MonkeyPatch):
    make_model("box")
    make_model("exp/b")
    assert find_model(None) == lookup.find_model(None) == lookup.BOX
    monkeypatch.setenv("VQSPEECH_MODEL", "from-variable")
    assert find_model(None) == lookup.find_model(None) == Path("from-variable")
    assert find_model(Path("from-flag")) == lookup.find_model("from-flag") == Path("from-flag")


def test_models_that_were_trained_here_are_listed():
    make_model("exp/b")
    make_model("recipes/vctk/exp/a")
    Path("exp/log").mkdir()
    with pytest.raises(UsageError, match=r"give --model exp/b or set .*; models here: exp/b, recipes/vctk/exp/a$"):
        find_model(None)


def test_without_any_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VQSPEECH_MODEL", "")
    with pytest.raises(UsageError, match=r"recipes/vctk/run\.sh"):
        find_model(None)
    with pytest.raises(
        VqspeechError, match=r"none comes with this vqspeech: name a model folder or set \$VQSPEECH_MODEL"
    ):
        lookup.find_model(None)


def test_a_model_without_codes_is_not_offered():
    make_model("exp/a_no-codes")
    Path("exp/a_no-codes/config.json").write_text('{"model": {"bottleneck": {"name": "none"}}}')
    make_model("exp/b")
    Path("exp/b/config.json").write_text('{"model": {"bottleneck": {"name": "vq"}}}')
    with pytest.raises(UsageError, match=r"models here: exp/b$"):
        find_model(None)
