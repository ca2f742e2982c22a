"""Forced alignment, of sounds whose places are known."""

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.speech import make_data_dir
from vqspeech import audio
from vqspeech.data.align import SAMPLE_RATE, Aligner, align_data_dir, spoken_words
from vqspeech.data.espeak import Voice, speak
from vqspeech.data.kaldi import DataDir, read_data_dir, write_data_dir
from vqspeech.data.labels import Phone, read_labels
from vqspeech.errors import VqspeechError

TEXT = "She gave the boat's captain six fresh peas."
# Those of TEXT that espeak-ng's phones and the dictionary's agree on: how each writes them, in order of time.
CONSONANTS = {"S": "SH", "g": "G", "v": "V", "D": "DH", "b": "B", "t": "T", "k": "K", "s": "S", "f": "F"}


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner()


@pytest.fixture(scope="module")
def spoken() -> tuple[np.ndarray, list[Phone]]:
    """TEXT, and where its phones are."""
    ((samples, rate, phones),) = speak(Voice("en-us", "m3"), [TEXT])
    return soxr.resample(samples / np.float32(32768), rate, SAMPLE_RATE).astype(np.float32), phones


@pytest.fixture
def data(tmp_path: Path, spoken: tuple[np.ndarray, list[Phone]]) -> DataDir:
    """Two utterances of noise and one of speech, whose first 0.4 s were trimmed."""
    made = make_data_dir(tmp_path / "made", speakers=("a",))
    audio.write(made.wavs["a_000"], spoken[0], SAMPLE_RATE)
    texts = {"a_000": TEXT, "a_001": "The qwxz of the zzyzx.", "a_002": TEXT * 4}
    write_data_dir(replace(made, path=tmp_path / "data", texts=texts, utt2offset={"a_000": 0.4}))
    return read_data_dir(tmp_path / "data")


def test_phones_are_found_where_they_were_said(aligner: Aligner, spoken: tuple[np.ndarray, list[Phone]]) -> None:
    waveform, truth = spoken
    phones = aligner.align(waveform, TEXT)
    assert phones[0].start == 0
    assert all(before.end == after.start for before, after in pairwise(phones))
    assert phones[-1].end == pytest.approx(len(waveform) / SAMPLE_RATE, abs=0.03)
    said = [phone for phone in truth if phone.phone in CONSONANTS]
    found = [phone for phone in phones if phone.phone in CONSONANTS.values()]
    assert [phone.phone for phone in found] == [CONSONANTS[phone.phone] for phone in said]
    errors = [one.start - other.start for one, other in zip(found, said, strict=True)]
    assert np.median(np.abs(errors)) < 0.02
    assert abs(np.median(errors)) < 0.01


def test_what_came_before_changes_nothing(aligner: Aligner, spoken: tuple[np.ndarray, list[Phone]]) -> None:
    first = aligner.align(spoken[0], TEXT)
    with pytest.raises(VqspeechError, match="does not fit"):
        aligner.align(spoken[0][:4000], TEXT)
    assert aligner.align(spoken[0], TEXT) == first


@pytest.mark.parametrize(
    ("word", "sounds"),
    [("promoter's", "P R AH M OW T ER Z"), ("thorpe's", "TH AO R P S"), ("springhorse's", None), ("qwxz's", None)],
)
def test_possessives_end_as_they_are_said(aligner: Aligner, word: str, sounds: str | None) -> None:
    assert aligner._knows(word) == (sounds is not None)
    assert aligner.decoder.lookup_word(word) == sounds


def test_after_a_hiss_a_possessive_has_a_syllable_more(aligner: Aligner) -> None:
    noun = next(word for word in ("moss", "brush", "birch", "badge") if not aligner.decoder.lookup_word(f"{word}'s"))
    assert aligner._knows(f"{noun}'s")
    assert aligner.decoder.lookup_word(f"{noun}'s").endswith(" AH Z")


def test_words_are_those_of_the_dictionary() -> None:
    assert spoken_words("It\u2019s half-past; 'Tis \"4th\" o'clock, boys' _x_.") == [
        "it's", "half", "past", "tis", "4th", "o'clock", "boys", "x",
    ]  # fmt: skip


def test_labels_are_on_the_untrimmed_axis_and_named_in_the_data_dir(
    data: DataDir, aligner: Aligner, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    report = align_data_dir(data, tmp_path / "labels")
    assert (report.aligned, report.kept) == (1, 0)
    assert report.left_out == {
        "a_001": "no pronunciation of qwxz, zzyzx",
        "a_002": "the audio does not fit the text",
    }
    told = capsys.readouterr().err
    assert "left out a_001: no pronunciation of qwxz, zzyzx" in told
    assert told.endswith("align: 1 aligned, 0 kept, 2 left out\n")
    labels = read_data_dir(data.path).labels
    assert labels == {"a_000": tmp_path / "labels" / "a_000.phn"}
    expected = aligner.align(audio.read(data.wavs["a_000"], SAMPLE_RATE), TEXT)
    for written, phone in zip(read_labels(labels["a_000"]), expected, strict=True):
        assert (written.start, written.phone) == (pytest.approx(phone.start + 0.4, abs=1e-4), phone.phone)


def test_nothing_is_done_twice_or_overwritten_unless_asked(
    data: DataDir, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    mine = tmp_path / "labels" / "a_000.phn"
    mine.parent.mkdir()
    mine.write_text("0 1 a\n")
    (data.path / "labels.scp").write_text("a_001 elsewhere.phn\n")
    assert align_data_dir(data, mine.parent).kept == 1
    assert mine.read_text() == "0 1 a\n"
    assert (data.path / "labels.scp").read_text() == "a_001 elsewhere.phn\n"
    assert "labels.scp is kept; --force replaces it" in capsys.readouterr().err
    assert align_data_dir(data, mine.parent, force=True).aligned == 1
    assert mine.read_text() != "0 1 a\n"
    assert list(read_data_dir(data.path).labels) == ["a_000"]


def test_without_texts_words_or_pocketsphinx_one_line_says_so(
    data: DataDir, aligner: Aligner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(VqspeechError, match=r"data/text: no text"):
        align_data_dir(replace(data, texts={}), tmp_path / "labels")
    with pytest.raises(VqspeechError, match="no utterance could be aligned; a_001, for one: no pronunciation of qwxz"):
        align_data_dir(replace(data, texts={"a_001": "qwxz"}), tmp_path / "labels")
    assert not (data.path / "labels.scp").exists()
    with pytest.raises(VqspeechError, match="without words"):
        aligner.align(np.zeros(16000, np.float32), "...!")
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(VqspeechError, match=r"not installed: pocketsphinx \(pip install 'vqspeech\[align\]'\)"):
        Aligner()
