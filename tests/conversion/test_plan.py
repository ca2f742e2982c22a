from pathlib import Path

import pytest

from tests.tiny import save_tiny_model
from vqspeech.codec import Codec
from vqspeech.conversion.plan import chosen_speakers, plan
from vqspeech.errors import UsageError, VqspeechError


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("in/a.wav", "in/x/b.wav"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)


def outputs(source: str, speakers: str, out: str | None, ending: str = ".wav") -> list[str]:
    return [str(one.out) for one in plan([source], speakers.split(), Path(out) if out else None, ending)]


def test_one_recording_is_named_after_itself_and_the_voice():
    assert outputs("in/a.wav", "p q", None) == ["a_p.wav", "a_q.wav"]
    assert outputs("in/a.wav", "p", None, ".opus") == ["a_p.opus"]
    assert outputs("in/a.wav", "p", "new/b.Flac") == ["new/b.Flac"]


def test_a_folder_mirrors_the_tree_for_every_voice():
    assert outputs("in", "p q", "out") == ["out/p/a.wav", "out/q/a.wav", "out/p/x/b.wav", "out/q/x/b.wav"]
    assert outputs("in", "p", "out.v1", ".flac") == ["out.v1/p/a.flac", "out.v1/p/x/b.flac"]
    assert outputs("in/a.wav", "p", "out") == ["out/p/a.wav"]
    # Also among the sources, where what came of them before is none.
    assert outputs("in/a.wav", "p", ".") == ["p/a.wav"]
    Path("in/p").mkdir()
    Path("in/p/a.wav").touch()
    assert outputs("in", "p", "in") == ["in/p/a.wav", "in/p/x/b.wav"]


@pytest.mark.parametrize(
    ("source", "speakers", "out", "says"),
    [
        ("in", "p", None, "give --out DIR"),
        ("in/*.wav", "p", None, "give --out DIR"),
        ("in", "p", "b.wav", "b.wav: one file, for 2 conversions; name a folder"),
        ("in/a.wav", "p q", "b.wav", "b.wav: one file, for 2 conversions"),
        ("in/a.wav", "p", "b.mp4", r"b.mp4: write one of \.wav \.flac"),
    ],
)
def test_an_output_that_does_not_suit_the_sources_is_misuse(source: str, speakers: str, out: str | None, says: str):
    with pytest.raises(UsageError, match=says):
        outputs(source, speakers, out)


def test_nothing_becomes_the_file_of_another_or_its_own():
    Path("in/a.flac").touch()
    with pytest.raises(VqspeechError, match=r"in/a\.flac and in/a\.wav would both become out/p/a\.wav"):
        outputs("in", "p", "out")
    with pytest.raises(VqspeechError, match="would replace its own source"):
        outputs("in/a.wav", "p", "in/x/../a.wav")


def test_voices_are_one_several_or_all(tmp_path: Path):
    save_tiny_model(tmp_path / "model", ("a", "b", "c"))
    codec = Codec.load(tmp_path / "model")
    assert chosen_speakers(codec, "b") == ["b"]
    assert chosen_speakers(codec, "c, a,c") == ["c", "a"]
    assert chosen_speakers(codec, "all") == ["a", "b", "c"]
    with pytest.raises(VqspeechError, match="knows no speaker 'd'"):
        chosen_speakers(codec, "a,d")
