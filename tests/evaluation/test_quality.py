from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir
from vqspeech import audio
from vqspeech.data.kaldi import write_data_dir
from vqspeech.evaluation import quality
from vqspeech.evaluation.controls import by_kind
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.quality import measure_copies, measure_mcd, measure_mos
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech


@pytest.fixture
def parallel(tmp_path: Path) -> Speech:
    """Two speakers, two texts that both read."""
    data = make_data_dir(tmp_path / "data", utterances=2)
    texts = {utterance: f"text {utterance[-1]}" for utterance in data.utterances}
    write_data_dir(replace(data, path=tmp_path / "texts", texts=texts))
    return Speech(tmp_path / "texts", RATE)


def excerpt(parallel: Speech, utterance: str, whole: bool = True) -> Excerpt:
    waveform = audio.read(parallel.data.wavs[utterance], RATE)
    return Excerpt(utterance, utterance[0], waveform, parallel.data.texts[utterance], whole, True)


def test_opinions_of_copies_and_of_the_excerpts_as_they_were(parallel: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "load_mos", lambda rate: lambda waveform: 1 + 4 * float(waveform.any()))
    source = excerpt(parallel, "a_000")
    samples = [Sample(source, "a", 0 * source.waveform), Sample(excerpt(parallel, "a_001"), "a", source.waveform)]
    copies = measure_mos(by_kind(samples), RATE)["copies"]
    assert (copies["mos"], copies["mos_interval"], copies["utterances"]) == (3.0, [1.0, 5.0], 2)
    assert copies["beside"]["originals"]["mos"] == copies["beside"]["mu_law"]["mos"] == 5.0
    with pytest.raises(CannotMeasure):
        measure_mos(by_kind([]), RATE)


def test_copies_are_compared_with_their_sources_and_what_has_no_score_is_left_out(parallel: Speech) -> None:
    def louder(copy: np.ndarray, source: np.ndarray, rate: int) -> dict | None:
        return {"gain": float(np.abs(copy).max() / np.abs(source).max())} if copy.any() else None

    one, other = excerpt(parallel, "a_000"), excerpt(parallel, "b_000")
    samples = [Sample(one, "a", 2 * one.waveform), Sample(other, "b", 0 * other.waveform)]
    found = measure_copies(by_kind(samples), RATE, louder)
    assert found.keys() == {"copies"}
    assert (found["copies"]["gain"], found["copies"]["utterances"]) == (2.0, 1)
    assert found["copies"]["beside"]["originals"] == {"utterances": 2, "gain": 1.0, "gain_interval": [1.0, 1.0]}
    with pytest.raises(CannotMeasure):
        measure_copies(by_kind(samples[1:]), RATE, lambda *_: None)


def test_conversions_are_held_against_the_target_s_own_reading(parallel: Speech) -> None:
    source, reading = excerpt(parallel, "a_000"), excerpt(parallel, "b_000")
    samples = [
        Sample(source, "b", reading.waveform),  # as the target says it
        Sample(excerpt(parallel, "a_001", whole=False), "b", source.waveform),  # cut, so left out
    ]
    found = measure_mcd(by_kind(samples), parallel)
    assert found["conversions"]["utterances"] == 1
    assert found["conversions"]["mcd"] == pytest.approx(0, abs=0.01)
    assert found["conversions"]["beside"]["untouched"]["mcd"] > 1.0
    assert found["copies"] is None
    with pytest.raises(CannotMeasure):
        measure_mcd(by_kind(samples[1:]), parallel)
