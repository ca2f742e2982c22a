import json
from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation import conversions
from vqspeech.evaluation.conversions import describe, judged, read_samples, score
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.trials import Trial, write_trials
from vqspeech.extras import NotInstalled

TRIALS = [Trial("a_000", "b"), Trial("c_000", "b"), Trial("c_000", "a")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a model that knows a and b has made: conversions half as loud as their sources, copies a quarter."""
    save_tiny_model(tmp_path / "model", ("a", "b"))
    make_data_dir(tmp_path / "train", seconds=1.0)
    out = tmp_path / "out"
    data = make_data_dir(out / "sources", speakers=("a", "b", "c"), utterances=1, seconds=1.0)
    lists = {"trials": TRIALS, "parallel": TRIALS[:1], "copies": [Trial("a_000", "a")]}
    for name, trials in lists.items():
        write_trials(out / name, trials)
    for utterance, target in TRIALS:
        write_wav(data, utterance, 0.5, out / "wav" / target)
    write_wav(data, "a_000", 0.25, out / "wav/source")
    return out


def write_wav(data: DataDir, utterance: str, gain: float, folder: Path) -> None:
    source = audio.read(data.wavs[utterance], RATE)
    audio.write(folder / f"{utterance}.wav", np.concatenate([gain * source, np.ones(60, np.float32)]), RATE)


def louder(sample: Sample) -> dict[str, float]:
    return {"mos": float(np.abs(sample.waveform).max() / np.abs(sample.source.waveform).max())}


def test_everything_that_was_made_is_judged_beside_its_controls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversions, "find_judges", lambda *_: ({"gain": louder}, {"words": "no Whisper"}))
    monkeypatch.setattr(conversions, "world_conversion", lambda *_: lambda source, target: 3 * source.waveform)
    monkeypatch.setattr(conversions, "against_readings", lambda _: lambda sample: {"mcd": 1.5})
    score(folder, folder.parent / "train", "make it", folder.parent / "model")
    results = json.loads((folder / "score_conversion.json").read_text())
    gains = {name: system["mos"] for name, system in results["systems"].items()}
    assert gains == pytest.approx(
        {"conversions": 0.5, "world": 3, "untouched": 1, "copies": 0.25, "mu_law": 1}, rel=0.05
    )
    assert {name: system["samples"] for name, system in results["systems"].items()} == {
        **dict.fromkeys(("conversions", "world", "untouched"), 3),
        **dict.fromkeys(("copies", "mu_law"), 1),
    }
    assert results["sources"]["unseen"] == {"samples": 2, "utterances": 1, "speakers": 1}
    assert results["groups"]["seen"]["samples"] == results["targets"]["a"]["samples"] == 1
    assert results["parallel"]["untouched"]["mcd"] == 1.5
    assert len(results["samples"]["world"]) == 3
    page = (folder / "score_conversion.md").read_text()
    assert page.startswith("```sh\nmake it\n```\n")
    assert "Missing: words, no Whisper." in page


def test_without_judges_the_page_names_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> None:
        raise NotInstalled("not installed: pyworld")

    monkeypatch.setattr(conversions, "world_conversion", absent)
    monkeypatch.setattr(conversions, "find_judges", lambda *_: ({}, {}))
    monkeypatch.setattr(conversions, "against_readings", lambda _: lambda sample: None)
    score(folder, folder.parent / "train", "make it", folder.parent / "model")
    results = json.loads((folder / "score_conversion.json").read_text())
    assert results["missing"] == {"world": "not installed: pyworld"}
    assert "world" not in results["systems"]


def test_a_conversion_that_was_not_made_ends_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "wav/b/c_000.wav").unlink()
    with pytest.raises(VqspeechError, match=r"wav/b/c_000\.wav"):
        score(folder, folder.parent / "train", "make it", folder.parent / "model")


def test_samples_are_as_long_as_their_sources(folder: Path) -> None:
    source = Excerpt("a_000", "a", np.zeros(RATE, np.float32), None, whole=True, seen=True)
    (converted,) = read_samples(folder, "parallel", {"a_000": source}, RATE)
    (copy,) = read_samples(folder, "copies", {"a_000": source}, RATE)
    assert len(converted.waveform) == len(copy.waveform) == RATE
    assert np.abs(copy.waveform).max() == pytest.approx(np.abs(converted.waveform).max() / 2, rel=0.01)


def test_rows_say_whose_they_are_and_what_each_judge_said() -> None:
    sample = Sample(Excerpt("a_1", "a", np.ones(1), None, whole=True, seen=False), "b", np.ones(1))
    row = {"utterance": "a_1", "source": "a", "target": "b", "seen": False, "same_gender": False}
    assert describe(sample, {"a": "f", "b": "m"}) == row
    assert describe(sample, {"a": "f"})["same_gender"] is None
    judges = {"one": lambda _: {"x": 1.0}, "none": lambda _: None}
    assert judged({"ours": [sample]}, judges, {"a": "f", "b": "m"}) == {"ours": [row | {"x": 1.0}]}
