from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir, voice
from vqspeech.evaluation import resynthesis
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.resynthesis import measure_nearest, measure_similarity, measure_words
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech

# The voices that `make_data_dir` gives its speakers.
PITCHES = {"a": 100, "b": 180, "c": 260}


def excerpt(speaker: str, seed: int, seen: bool = True, whole: bool = True) -> Excerpt:
    return Excerpt(f"{speaker}_{seed}", speaker, voice(PITCHES[speaker], 1.0, seed), "some words", whole, seen)


def sample(source: Excerpt, speaker: str, sounds_like: str) -> Sample:
    return Sample(source, speaker, voice(PITCHES[sounds_like], 1.0, seed=99))


@pytest.fixture
def train(tmp_path: Path) -> Speech:
    make_data_dir(tmp_path / "train", speakers=("a", "b"), utterances=4, seconds=1.0)
    return Speech(tmp_path / "train", RATE)


def test_conversions_that_sound_like_the_target(train: Speech) -> None:
    samples = [
        sample(excerpt("a", 50), "a", "a"),
        sample(excerpt("a", 51), "b", "b"),
        sample(excerpt("b", 52), "a", "a"),
    ]
    scores = measure_similarity(samples, train, None)
    assert scores["copies"]["count"] == 1
    assert scores["conversions"]["count"] == 2
    assert scores["conversions"]["target_nearer"] == 1.0
    assert scores["conversions"]["to_target"] > 0.3 > scores["conversions"]["to_source"]
    assert scores["conversions"]["source_to_source"] > 0.3 > scores["conversions"]["source_to_target"]
    assert scores["natural"]["equal_error_rate"] == 0.0
    assert scores["conversions_unseen"] is None


def test_conversions_that_still_sound_like_the_source(train: Speech) -> None:
    scores = measure_similarity([sample(excerpt("a", 51), "b", "a"), sample(excerpt("b", 52), "a", "a")], train, None)
    assert scores["conversions"]["target_nearer"] == 0.5


def test_an_unseen_source_is_known_by_its_own_speech(train: Speech, tmp_path: Path) -> None:
    # The third voice of `make_data_dir` is that of c.
    make_data_dir(tmp_path / "unseen", speakers=("a", "b", "c"), utterances=2, seconds=1.0)
    unseen = Speech(tmp_path / "unseen", RATE)
    samples = [sample(excerpt("a", 50), "a", "a"), sample(excerpt("c", 51, seen=False), "a", "c")]
    scores = measure_similarity(samples, train, unseen)["conversions_unseen"]
    assert scores["count"] == 1
    assert scores["to_source"] > scores["to_target"]


@pytest.mark.filterwarnings("error")
def test_a_speaker_without_readable_speech_is_left_out(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "three", speakers=("a", "b", "c"), utterances=2, seconds=1.0)
    for utterance in ("c_000", "c_001"):
        data.wavs[utterance].write_bytes(b"")
    samples = [
        sample(excerpt("a", 50), "b", "b"),
        sample(excerpt("a", 51), "c", "c"),
        sample(excerpt("c", 52), "a", "a"),
    ]
    scores = measure_similarity(samples, Speech(data.path, RATE, skip_bad=True), None)
    assert scores["conversions"]["count"] == 1


def test_a_copy_must_sound_like_its_source() -> None:
    sources = [excerpt(speaker, seed) for speaker, seed in (("a", 1), ("b", 2), ("c", 3))]
    right = [Sample(source, source.speaker, source.waveform) for source in sources]
    assert measure_nearest(right, RATE)["accuracy"] == 1.0
    wrong = [Sample(source, source.speaker, sources[index - 1].waveform) for index, source in enumerate(sources)]
    assert measure_nearest(wrong, RATE)["accuracy"] == 0.0


def test_words_of_whole_utterances_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jiwer", reason="the optional judge is not installed")
    pytest.importorskip("whisper_normalizer", reason="the optional judge is not installed")
    heard = {"a_1": "some words", "a_1_b": "some birds", "a_2": "never asked"}
    monkeypatch.setattr(resynthesis, "find_whisper", lambda folder: Path("judge"))
    monkeypatch.setattr(
        resynthesis, "transcribe", lambda waveforms, rate, folder: {name: heard[name] for name in waveforms}
    )
    samples = [
        Sample(excerpt("a", 1), "a", np.zeros(10)),
        Sample(excerpt("a", 1), "b", np.zeros(10)),
        Sample(excerpt("a", 2, whole=False), "a", np.zeros(10)),
    ]
    rates = measure_words(samples, RATE, None)
    assert rates["judge"] == "judge"
    assert {
        kind: (rates[kind]["wer"], rates[kind]["utterances"]) for kind in ("originals", "copies", "conversions")
    } == {
        "originals": (0.0, 1),
        "copies": (0.0, 1),
        "conversions": (0.5, 1),
    }
    with pytest.raises(CannotMeasure, match="no whole utterance"):
        measure_words(samples[2:], RATE, None)
