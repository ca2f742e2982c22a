from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir, voice
from vqspeech.evaluation import similarity
from vqspeech.evaluation.controls import by_kind
from vqspeech.evaluation.ecapa import EmbeddedVoices
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.similarity import Voices
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.verification import equal_error, measure_voices

# The voices that `make_data_dir` gives its speakers.
PITCHES = {"a": 100, "b": 180, "c": 260}


def excerpt(speaker: str, seed: int, seen: bool = True) -> Excerpt:
    return Excerpt(f"{speaker}_{seed}", speaker, voice(PITCHES[speaker], 1.0, seed), None, True, seen)


def sample(source: Excerpt, speaker: str, sounds_like: str) -> Sample:
    return Sample(source, speaker, voice(PITCHES[sounds_like], 1.0, seed=99))


def measure_similarity(samples: list[Sample], train: Speech, unseen: Speech | None) -> dict:
    heard = partial(similarity.voice, sample_rate=RATE)
    return measure_voices(by_kind(samples), train, unseen, heard, Voices)


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
    low, high = scores["conversions"]["source_to_source_interval"]
    assert low < scores["conversions"]["source_to_source"] < high
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


def test_the_judge_s_own_threshold_and_that_of_natural_speech(train: Speech) -> None:
    # A judge that hears the pitch alone: a is [1, 0], b [0, 1]; the one conversion is between them, 0.8 like b.
    directions = {100: [1.0, 0.0], 180: [0.0, 1.0], 260: [0.6, 0.8]}

    def heard(waveform: np.ndarray) -> np.ndarray:
        loudest = np.abs(np.fft.rfft(waveform)).argmax() / (len(waveform) / RATE)
        return np.array(directions[min(directions, key=lambda pitch: abs(pitch - loudest))])

    samples = [
        sample(excerpt("a", 50), "a", "a"),
        sample(excerpt("a", 51), "b", "c"),
        sample(excerpt("b", 52), "a", "b"),
    ]
    scores = measure_voices(by_kind(samples), train, None, heard, EmbeddedVoices, threshold=0.9)
    assert scores["natural"] == {
        "own": 1.0,
        "own_interval": [1.0, 1.0],
        "other": 0.0,
        "other_interval": [0.0, 0.0],
        "equal_error_rate": 0.0,
        "equal_error_rate_interval": [0.0, 0.0],
        "threshold": 0.5,
    }
    conversions = scores["conversions"]
    assert conversions["to_target"] == pytest.approx(0.4)  # 0.8 and 0
    assert (conversions["accepted"], conversions["accepted_at_equal_error"]) == (0.0, 0.5)
    assert conversions["accepted_at_equal_error_interval"] == [0.0, 1.0]
    assert conversions["target_nearer"] == 0.5
    assert conversions["beside"]["untouched"]["accepted_at_equal_error"] == 0.0
    assert scores["copies"]["accepted"] == 1.0
    assert scores["copies"]["beside"]["originals"]["to_target"] == 1.0


def test_nothing_to_tell_apart(train: Speech) -> None:
    with pytest.raises(CannotMeasure, match="two speakers"):
        measure_similarity([], train, None)


def test_equal_error_by_hand() -> None:
    # The threshold is amid those that tell the trials apart alike.
    assert equal_error([0.9, 0.8], [0.1, 0.2]) == (0.0, 0.5)
    assert equal_error([0.1, 0.2], [0.9, 0.8]).rate == 1.0
    # From 0.6 on one of four same-speaker trials is missed and one of four different-speaker trials accepted.
    found = equal_error([0.9, 0.8, 0.7, 0.3], [0.1, 0.2, 0.3, 0.6])
    assert found == pytest.approx((0.25, 0.45))
