from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.evaluation import resynthesis
from vqspeech.evaluation.controls import by_kind
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


def test_words_of_whole_utterances_are_scored_beside_their_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jiwer", reason="the optional judge is not installed")
    pytest.importorskip("whisper_normalizer", reason="the optional judge is not installed")
    heard: list[np.ndarray] = []

    def hear(waveform: np.ndarray) -> str:
        heard.append(waveform)
        return "some words" if waveform.any() else "some birds"

    monkeypatch.setattr(resynthesis, "load_whisper", lambda folder, rate: hear)
    source, cut, stranger = excerpt("a", 1), excerpt("a", 2, whole=False), excerpt("c", 3, seen=False)
    samples = [
        Sample(source, "a", source.waveform[::-1]),
        Sample(source, "b", np.zeros(10)),
        Sample(cut, "a", np.zeros(10)),
        Sample(stranger, "b", np.zeros(10)),
    ]
    found = measure_words(by_kind(samples), RATE, Path("judge"))
    assert found.pop("judge") == "judge"
    errors = {kind: (scores["wer"], scores["utterances"]) for kind, scores in found.items()}
    assert errors == {"copies": (0.0, 1), "conversions": (0.5, 1), "conversions_unseen": (0.5, 1)}
    beside = {kind: {name: own["wer"] for name, own in scores["beside"].items()} for kind, scores in found.items()}
    assert beside == {
        "copies": {"originals": 0.0, "mu_law": 0.0},
        "conversions": {"untouched": 0.0},
        "conversions_unseen": {"untouched": 0.0},
    }
    # Of the source of a copy and of a conversion what is said is heard once.
    assert sum(waveform is source.waveform for waveform in heard) == 1
    with pytest.raises(CannotMeasure, match="no whole utterance"):
        measure_words(by_kind([samples[2]]), RATE, Path("judge"))
