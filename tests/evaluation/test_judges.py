from pathlib import Path

import pytest

from vqspeech.evaluation import judges
from vqspeech.evaluation.missing import CannotMeasure


def test_the_folder_given_comes_before_the_variable_and_that_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(judges.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert judges.judges_folder(None) == tmp_path / "vqspeech" / "judges"
    monkeypatch.setenv(judges.VARIABLE, "/named")
    assert judges.judges_folder(None) == Path("/named")
    assert judges.judges_folder(Path("/given")) == Path("/given")


def test_weights_that_are_missing_say_where_they_come_from(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    assert judges.find_weights(tmp_path, "there") == tmp_path / "there"
    with pytest.raises(CannotMeasure, match=r"no .*/gone; recipes/utils/fetch_judges.sh .*VQSPEECH_JUDGES"):
        judges.find_weights(tmp_path, "gone")


def test_the_script_that_the_messages_name_is_there() -> None:
    assert (Path(__file__).parents[2] / judges.SCRIPT).is_file()
