from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.speech import make_data_dir
from vqspeech.conversion.sources import find_recordings
from vqspeech.data.shards import write_shards
from vqspeech.errors import VqspeechError


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.wav", "in/b.FLAC", "in/deep/c.d.mp3", "in/notes.txt", "in/.hidden.wav", "in/.git/x.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)


def found(*sources: str, leave_out: Sequence[Path] = ()) -> dict[str, str]:
    return {str(recording.path): recording.name for recording in find_recordings(sources, leave_out)}


def test_a_file_is_named_by_its_stem_whatever_its_ending():
    assert found("in/notes.txt") == {"in/notes.txt": "notes"}
    assert found("missing.wav") == {"missing.wav": "missing"}  # to be told when it is read


def test_a_folder_is_searched_for_audio_and_its_tree_is_kept():
    assert found("in") == {"in/b.FLAC": "b", "in/deep/c.d.mp3": "deep/c.d"}


def test_a_glob_keeps_the_tree_from_its_first_wildcard_on():
    assert found("in/**/*.mp3") == {"in/deep/c.d.mp3": "deep/c.d"}
    assert found("i*") == {"in/b.FLAC": "in/b", "in/deep/c.d.mp3": "in/deep/c.d"}


def test_several_sources_keep_the_tree_that_they_share_and_each_file_once():
    assert found("in/deep", "a.wav", "./in/deep/c.d.mp3", "a.wav") == {"in/deep/c.d.mp3": "in/deep/c.d", "a.wav": "a"}
    assert found("in/b.FLAC", "in/deep/c.d.mp3") == {"in/b.FLAC": "b", "in/deep/c.d.mp3": "deep/c.d"}


def test_a_file_whose_name_has_wildcards_is_that_file():
    Path("a[1].wav").touch()
    assert found("a[1].wav") == {"a[1].wav": "a[1]"}


def test_utterances_of_a_data_dir_have_their_ids(tmp_path: Path):
    data = make_data_dir(tmp_path / "data", utterances=1, seconds=0.1)
    assert found("data") == {str(path): id for id, path in data.wavs.items()}


def test_what_lies_in_a_shard_is_no_source(tmp_path: Path):
    write_shards(make_data_dir(tmp_path / "data", utterances=1, seconds=0.1), tmp_path / "shards", tmp_path / "sharded")
    with pytest.raises(VqspeechError, match=r"/shards/000000\.tar:512: is no file of its own"):
        found("sharded")


def test_what_lies_in_the_output_folder_is_no_source_unless_named_itself():
    assert found(".", leave_out=[Path("in"), Path("none")]) == {"a.wav": "a"}
    assert found("in/b.FLAC", leave_out=[Path("in")]) == {"in/b.FLAC": "b"}


def test_a_file_that_is_named_twice_is_there_once():
    assert found("a.wav", str(Path("a.wav").absolute())) == {"a.wav": "a"}


@pytest.mark.parametrize("source", ["in/empty", "x*.wav"])
def test_a_place_without_recordings_is_named(source: str):
    Path("in/empty").mkdir()
    with pytest.raises(VqspeechError, match="no recordings there") as caught:
        find_recordings([source])
    assert source in str(caught.value)
