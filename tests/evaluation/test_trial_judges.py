from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir, voice
from vqspeech import extras
from vqspeech.data.kaldi import write_data_dir
from vqspeech.evaluation import trial_judges
from vqspeech.evaluation.ecapa import EmbeddedVoices
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.trial_judges import (
    against_readings,
    find_judges,
    of_opinions,
    of_pitch,
    of_speakers,
    of_words,
)


def sample(waveform: np.ndarray, source: np.ndarray, target: str = "b", text: str | None = None) -> Sample:
    return Sample(Excerpt("a_000", "a", source, text, whole=True, seen=True), target, waveform)


SAID, SOURCE = np.ones(4), np.zeros(4)


def test_words_are_counted_beside_those_of_the_source() -> None:
    pytest.importorskip("jiwer", reason="the optional judge is not installed")
    pytest.importorskip("whisper_normalizer", reason="the optional judge is not installed")
    judge = of_words(lambda waveform: "please call stella" if waveform.any() else "peas call")
    assert judge(sample(SAID, SOURCE, text="Please call Ella!")) == {
        "wrong_words": 1,
        "words": 3,
        "wrong_characters": 2,
        "characters": 16,
        "words_lost": -1,
    }
    assert judge(sample(SAID, SOURCE)) is None


def test_speakers_of_conversions_and_copies() -> None:
    known = EmbeddedVoices({"a": [np.array([1.0, 0.0])], "b": [np.array([0.0, 1.0])]})
    judge = of_speakers(lambda waveform: np.array([0.6, 0.8]), known, threshold=0.7)
    assert judge(sample(SAID, SOURCE)) == pytest.approx(
        {"to_target": 0.8, "accepted": 1, "to_source": 0.6, "nearer": 1}
    )
    assert judge(sample(SAID, SOURCE, target="a")) == pytest.approx({"to_target": 0.6, "accepted": 0})


def test_opinions_are_asked_once_of_a_waveform() -> None:
    asked = []

    def listen(waveform: np.ndarray) -> float:
        asked.append(waveform)
        return 3.5

    judge = of_opinions(listen)
    assert [judge(sample(SAID, SOURCE)) for _ in range(2)] == [{"mos": 3.5}] * 2
    assert len(asked) == 1


def test_pitch_beside_the_target_s_own() -> None:
    pytest.importorskip("swift_f0", reason="the optional judge is not installed")
    own = {"b": [voice(200, 1.0, 0), voice(200, 1.0, 1)]}
    judge = of_pitch(own.__getitem__, RATE)
    found = judge(sample(voice(100, 1.0, 2), SOURCE))
    assert np.exp([found["log_f0"], found["target_log_f0"]]) == pytest.approx([100, 200], rel=0.02)
    assert found["f0_off"] == pytest.approx(12, abs=0.3)
    assert found["f0_deviation"] < 1 > found["target_f0_deviation"]
    assert judge(sample(np.zeros(RATE, np.float32), SOURCE)) is None


@pytest.fixture
def speech(tmp_path: Path) -> Speech:
    """Speakers a and b, who both read two texts."""
    data = make_data_dir(tmp_path / "data", utterances=2, seconds=1.0)
    texts = {utterance: f"Text {utterance[-1]}" for utterance in data.utterances}
    write_data_dir(replace(data, path=tmp_path / "texts", texts=texts))
    return Speech(tmp_path / "texts", RATE)


def test_conversions_are_held_against_the_target_s_reading(speech: Speech) -> None:
    ((_, own),) = speech.read(["b_001"])
    judge = against_readings(speech)
    slower = np.repeat(own.reshape(-1, 80), 2, axis=0).reshape(-1)
    assert judge(sample(slower, SOURCE, text="text 1"))["mcd"] < judge(sample(slower, SOURCE, text="text 0"))["mcd"]
    assert judge(sample(own, SOURCE, text="text 2")) is None
    assert judge(sample(own, SOURCE, target="c", text="text 1")) is None


def test_judges_that_are_not_there_are_named(speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    found, missing = find_judges(speech, speech, ["a"])
    assert found == {}
    assert missing.keys() == {"words", "speakers", "opinions", "pitch"}
    assert "jiwer" in missing["words"]


def test_judges_know_speakers_by_training_speech_or_else_by_the_sources(
    speech: Speech, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Loudness:
        """A judge to whom a voice is how long it speaks."""

        def __init__(self, weights: Path) -> None:
            pass

        def voice(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
            return np.array([len(waveform) / sample_rate])

    make_data_dir(tmp_path / "sources", speakers=("b", "c"), seconds=0.5)
    for name, judge in (("find_whisper", None), ("load_whisper", None), ("find_ecapa", None), ("load_mos", None)):
        monkeypatch.setattr(trial_judges, name, lambda *_, judge=judge, **__: judge)
    monkeypatch.setattr(trial_judges, "Ecapa", Loudness)
    monkeypatch.setattr(trial_judges, "require_f0", lambda: None)
    found, missing = find_judges(speech, Speech(tmp_path / "sources", RATE), ["a", "b", "c"])
    assert not missing
    heard = np.ones(RATE, np.float32)
    assert found["speakers"](sample(heard, heard, "b"))["to_target"] == pytest.approx(1.0)
    assert found["speakers"](sample(heard, heard, "c"))["to_target"] == pytest.approx(0.5)
