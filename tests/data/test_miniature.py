import shutil
import time
from itertools import pairwise
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from vqspeech.data import miniature
from vqspeech.data.labels import read_labels
from vqspeech.data.miniature import SPEAKERS, make_miniature, texts_of
from vqspeech.errors import VqspeechError

SENTENCES = 10
VOWELS = {"@", "a", "aI", "E", "eI", "I", "i", "O", "oU", "u", "V", "3", "A@", "aU"}
VOICELESS = {"f", "s", "S", "T"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "miniature"
    make_miniature(folder, speakers=10, sentences=SENTENCES)
    return folder


def recording(corpus: Path, speaker: str, number: int) -> tuple[np.ndarray, int, list]:
    id = f"{speaker}_{number:03}"
    audio = corpus / "wav48_silence_trimmed" / speaker / f"{id}_mic1.flac"
    waveform, sample_rate = soundfile.read(audio, dtype="float32")
    return waveform, sample_rate, read_labels(corpus / "phones" / speaker / f"{id}.phn")


def segments(corpus: Path, speaker: str, phones: set[str], least: float = 0.0) -> list[np.ndarray]:
    """The samples of every phone of `phones` that lasts `least` seconds."""
    found = []
    for number in range(1, SENTENCES + 1):
        waveform, rate, labels = recording(corpus, speaker, number)
        for label in labels:
            if label.phone in phones and label.end - label.start >= least:
                found.append(waveform[round(label.start * rate) : round(label.end * rate)])
    return found


def periodicity(segment: np.ndarray, sample_rate: int = 22050) -> float:
    """The highest normalised autocorrelation at the lags of 60 to 400 Hz."""
    lags = range(sample_rate // 400, min(sample_rate // 60, len(segment) // 2))
    return max(float(np.corrcoef(segment[:-lag], segment[lag:])[0, 1]) for lag in lags)


def test_the_layout_is_that_of_vctk(corpus: Path):
    assert {path.name for path in corpus.iterdir()} == {
        "README",
        "speaker-info.txt",
        "txt",
        "wav48_silence_trimmed",
        "phones",
    }
    assert "SYNTHETIC" in (corpus / "README").read_text()
    header, *rows = (corpus / "speaker-info.txt").read_text().splitlines()
    assert header.split() == ["ID", "AGE", "GENDER", "ACCENTS", "REGION", "COMMENTS"]
    assert [row.split()[0] for row in rows] == list(SPEAKERS)
    assert {row.split()[2] for row in rows} == {"F", "M"}
    ids = {f"{speaker}_{number:03}" for speaker in SPEAKERS for number in range(1, SENTENCES + 1)}
    assert {path.stem for path in corpus.glob("txt/*/*.txt")} == ids
    assert {path.stem for path in corpus.glob("phones/*/*.phn")} == ids
    assert {path.name for path in corpus.glob("wav48_silence_trimmed/*/*")} == {f"{id}_mic1.flac" for id in ids}


def test_all_read_the_first_eight_texts_and_few_share_another(corpus: Path):
    def text(speaker: str, number: int) -> str:
        return (corpus / "txt" / speaker / f"{speaker}_{number:03}.txt").read_text()

    for number in range(1, 9):
        assert len({text(speaker, number) for speaker in SPEAKERS}) == 1
    assert len({text(speaker, 9) for speaker in SPEAKERS}) == len(SPEAKERS)
    readings = [set(texts_of(speaker, 40)) for speaker in SPEAKERS]
    assert all(len(texts) == 40 for texts in readings)
    readers = [sum(text in texts for texts in readings) for text in set().union(*readings)]
    assert sorted(set(readers)) == [1, 2, 10]
    assert readers.count(10) == 8
    assert readers.count(2) >= 80


def test_phones_cover_each_recording(corpus: Path):
    inventory = set()
    for speaker in SPEAKERS:
        waveform, sample_rate, phones = recording(corpus, speaker, 5)
        assert phones[0].start == 0
        assert phones[-1].end == pytest.approx(len(waveform) / sample_rate, abs=1e-6)
        assert all(before.end == after.start for before, after in pairwise(phones))
        assert phones[0].phone == phones[-1].phone == "pau"
    for path in corpus.glob("phones/*/*.phn"):
        inventory |= {phone.phone for phone in read_labels(path)}
    assert 40 <= len(inventory) <= 50
    assert all(phone.isascii() and not set(phone) & set("':,%_#") for phone in inventory)


def test_pauses_are_silent_vowels_voiced_and_hisses_not(corpus: Path):
    for speaker in SPEAKERS:
        pause, vowel = (np.concatenate(segments(corpus, speaker, phones)) for phones in ({"pau"}, VOWELS))
        assert np.std(pause) < 0.02 * np.std(vowel)
    for speaker in ("x02", "x03"):
        voiced = [periodicity(segment) for segment in segments(corpus, speaker, VOWELS, least=0.08)]
        hissed = [periodicity(segment) for segment in segments(corpus, speaker, VOICELESS, least=0.08)]
        assert np.median(voiced) > 0.6
        assert np.median(hissed) < 0.3


def test_the_speakers_differ_in_pitch(corpus: Path):
    pitch = {}
    for speaker in SPEAKERS:
        vowels = np.concatenate(segments(corpus, speaker, VOWELS))
        pitch[speaker] = np.median(librosa.yin(vowels, fmin=55, fmax=450, sr=22050))
    in_order = np.sort(list(pitch.values()))
    assert in_order[0] < 90
    assert in_order[-1] > 250
    assert np.all(in_order[1:] / in_order[:-1] > 1.06)  # a semitone apart
    assert max(pitch[id] for id in pitch if SPEAKERS[id].gender == "M") < min(
        pitch[id] for id in pitch if SPEAKERS[id].gender == "F"
    )


def test_a_second_making_gives_the_same_bytes(corpus: Path, tmp_path: Path, capfd):
    time.sleep(1.1)  # espeak-ng seeds its noise with the second of the clock
    make_miniature(tmp_path / "again", speakers=2, sentences=SENTENCES, nj=1)
    assert capfd.readouterr().out == ""
    for path in (tmp_path / "again").rglob("x0*_*.*"):
        assert path.read_bytes() == (corpus / path.relative_to(tmp_path / "again")).read_bytes(), path.name


def test_it_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch):
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "thesis.tex").touch()
    with pytest.raises(VqspeechError, match="used"):
        make_miniature(tmp_path / "used", speakers=1, sentences=1)
    monkeypatch.setattr(miniature.sys, "executable", shutil.which("false"))
    with pytest.raises(VqspeechError, match="cannot make synthetic speaker x01"):
        make_miniature(tmp_path / "new", speakers=2, sentences=1)
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


@pytest.mark.parametrize(("speakers", "sentences"), [(0, 5), (11, 5), (2, 0), (2, 10_000)])
def test_more_than_there_is_is_refused(tmp_path: Path, speakers: int, sentences: int):
    with pytest.raises(VqspeechError, match="the miniature has 1 to"):
        make_miniature(tmp_path / "new", speakers=speakers, sentences=sentences)
    assert not (tmp_path / "new").exists()
