from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.samples import (
    Excerpt,
    Sample,
    choose_excerpts,
    choose_targets,
    interleave,
    pair_with_targets,
)
from vqspeech.evaluation.selection import by_hash
from vqspeech.evaluation.speech import Speech


def excerpt(utterance: str, speaker: str = "a", text: str | None = None) -> Excerpt:
    return Excerpt(utterance, speaker, np.zeros(10, dtype=np.float32), text, whole=True, seen=True)


def test_excerpts_come_by_hash_and_are_cut(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", seconds=0.6)
    excerpts = choose_excerpts(Speech(tmp_path / "test", RATE), count=4, seconds=0.5, seen=True)
    assert [one.utterance for one in excerpts] == by_hash(data.utterances)[:4]
    assert all(len(one.waveform) == 0.5 * RATE and not one.whole for one in excerpts)
    assert {one.speaker for one in excerpts} <= {"a", "b"}


def test_whole_utterances_come_before_cut_ones(tmp_path: Path) -> None:
    # utt2dur alone decides, so that nothing must be read to choose.
    data = make_data_dir(tmp_path / "test", speakers=("a",), utterances=4, seconds=0.6)
    durations = tmp_path / "test" / "utt2dur"
    last = by_hash(data.utterances)[-1]
    durations.write_text("".join(f"{id} {1.5 if id == last else 9}\n" for id in data.utterances))
    excerpts = choose_excerpts(Speech(tmp_path / "test", RATE), count=4, seconds=2.0, seen=True)
    assert [one.utterance for one in excerpts] == [last, *by_hash(data.utterances)[:-1]]
    assert excerpts[0].whole


def test_targets_are_those_with_the_most_speech(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a", "b", "c"), utterances=1)
    assert data.speakers == ["a", "b", "c"]
    (tmp_path / "train" / "utt2dur").write_text("a_000 2\nb_000 1\nc_000 3\n")
    assert choose_targets(Speech(tmp_path / "train", RATE), count=2) == ["a", "c"]


def test_targets_take_turns_and_are_never_the_source() -> None:
    sources = [excerpt(f"u{number}", speaker) for number, speaker in enumerate("abab")]
    pairs = pair_with_targets(sources, ["a", "b", "c"], readers={})
    assert [target for _, target in pairs] == ["b", "c", "c", "a"]
    assert pair_with_targets([excerpt("u", "a")], ["a"], readers={}) == []


def test_a_target_who_reads_the_same_text_comes_first() -> None:
    source = excerpt("u", "a", text="Please call Stella.")
    assert pair_with_targets([source], ["a", "b", "c"], {"please call stella": {"a", "c"}}) == [(source, "c")]


def test_names_say_what_a_sample_is() -> None:
    copy, conversion = (Sample(excerpt("a_001", "a"), voice, np.zeros(10)) for voice in ("a", "b"))
    assert (copy.is_copy, copy.name) == (True, "a_001")
    assert (conversion.is_copy, conversion.name) == (False, "a_001_b")


def test_interleaving_keeps_what_is_left() -> None:
    a, b, c = excerpt("a"), excerpt("b"), excerpt("c")
    assert interleave([a, b], [c]) == [a, c, b]


def test_unreadable_speech_stops_or_is_counted(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", speakers=("a",))
    data.wavs["a_001"].write_bytes(b"")
    with pytest.raises(VqspeechError, match=r"a_001\.flac: empty file"):
        list(Speech(tmp_path / "test", RATE).read(data.utterances))
    speech = Speech(tmp_path / "test", RATE, skip_bad=True)
    assert [id for id, _ in speech.read(data.utterances)] == ["a_000", "a_002"]
    assert list(speech.skipped) == ["a_001"]


def test_a_data_dir_without_durations_is_refused(tmp_path: Path) -> None:
    make_data_dir(tmp_path / "test")
    (tmp_path / "test" / "utt2dur").unlink()
    with pytest.raises(VqspeechError, match="utt2dur: lacks utterances"):
        Speech(tmp_path / "test", RATE)
