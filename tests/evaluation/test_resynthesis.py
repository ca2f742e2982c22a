from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.evaluation import resynthesis
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.resynthesis import measure_nearest, measure_words
from vqspeech.evaluation.samples import Excerpt, Sample

# The voices that `make_data_dir` gives its speakers.
PITCHES = {"a": 100, "b": 180, "c": 260}


def excerpt(speaker: str, seed: int, seen: bool = True, whole: bool = True) -> Excerpt:
    return Excerpt(f"{speaker}_{seed}", speaker, voice(PITCHES[speaker], 1.0, seed), "some words", whole, seen)


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
    monkeypatch.setattr(
        resynthesis, "transcribe", lambda waveforms, rate, folder: {name: heard[name] for name in waveforms}
    )
    samples = [
        Sample(excerpt("a", 1), "a", np.zeros(10)),
        Sample(excerpt("a", 1), "b", np.zeros(10)),
        Sample(excerpt("a", 2, whole=False), "a", np.zeros(10)),
    ]
    rates = measure_words(samples, RATE, Path("judge"))
    assert rates["judge"] == "judge"
    assert {
        kind: (rates[kind]["wer"], rates[kind]["utterances"]) for kind in ("originals", "copies", "conversions")
    } == {
        "originals": (0.0, 1),
        "copies": (0.0, 1),
        "conversions": (0.5, 1),
    }
    with pytest.raises(CannotMeasure, match="no whole utterance"):
        measure_words(samples[2:], RATE, Path("judge"))
