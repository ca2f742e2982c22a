import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.data.kaldi import DataDir, write_data_dir
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.evaluation import mos, runner, speed, world
from vqspeech.evaluation.selection import by_hash

Evaluate = Callable[..., dict]
JUDGED = ("ecapa", "words", "mos", "pesq", "estoi", "f0")
"""What needs a judge, or more than the hundredths of a second sampled here."""


def give_labels(data: DataDir, path: Path) -> Path:
    """Copy a data dir, with phone labels that change every 0.1 s."""
    labels = {}
    for utterance in data.utterances:
        labels[utterance] = path.parent / "phones" / f"{utterance}.phn"
        labels[utterance].parent.mkdir(exist_ok=True)
        lines = [f"{step / 10} {(step + 1) / 10} {'pau' if step == 0 else 'abac'[step % 4]}" for step in range(12)]
        labels[utterance].write_text("\n".join(lines) + "\n")
    texts = dict.fromkeys(data.utterances, "the same text")
    write_data_dir(replace(data, path=path, labels=labels, texts=texts))
    return path


def write_log(model: Path, lines: list[dict]) -> None:
    (model / "train").mkdir(parents=True)
    (model / "train" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """Evaluate a model that was never trained, on seconds of speech."""
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    write_log(
        tmp_path / "model",
        [
            {"split": "train", "step": 5, "minutes": 0.1, "samples_per_second": 32000.0},
            {"split": "dev", "step": 10, "minutes": 0.2, "bits_true": 5.0},
        ],
    )
    write_log(tmp_path / "without", [{"split": "dev", "step": 10, "minutes": 0.2, "bits_true": 6.0}])
    make_data_dir(tmp_path / "train", seconds=1.2)
    make_data_dir(tmp_path / "test", seconds=1.2)
    make_data_dir(tmp_path / "unseen", speakers=("c",), utterances=2, seconds=1.2)
    monkeypatch.setattr(speed, "SAMPLED_SECONDS", 0.02)
    monkeypatch.delenv("VQSPEECH_WHISPER", raising=False)
    monkeypatch.setenv("VQSPEECH_JUDGES", str(tmp_path / "no judges"))
    # These need no weights from elsewhere, and take a second a sample.
    monkeypatch.setattr(mos, "PACKAGES", ("no-distillmos",))
    monkeypatch.setattr(world, "PACKAGES", ("no-pyworld",))

    def run(data: Path = tmp_path / "test", train: Path = tmp_path / "train", **options: object) -> dict:
        small = {"copies": 3, "conversions": 4, "seconds": 0.05, "utterances": 6, "command": "make it"}
        return runner.evaluate(tmp_path / "model", data, train, tmp_path / "out", **(small | options))

    return run


def test_everything_is_measured_and_written(evaluate: Evaluate, tmp_path: Path) -> None:
    data, train = (
        give_labels(make_data_dir(tmp_path / name, seconds=1.2), tmp_path / f"{name}-labelled")
        for name in ("more", "other")
    )
    results = evaluate(data, train, unseen=tmp_path / "unseen", parallel=data, no_codes=tmp_path / "without")
    out = tmp_path / "out"
    assert json.loads((out / "results.json").read_text()) == results
    assert (out / "RESULTS.md").read_text().startswith("```sh\nmake it\n```\n")
    assert not [
        name
        for name, value in results.items()
        if value == {} or (name not in JUDGED and name not in ("bound", "world") and "missing" in str(value))
    ]
    assert results["no_codes"]["bits"] - results["no_codes"]["bits_with_codes"] == 1.0
    assert results["no_codes"]["code_bits"] == pytest.approx(math.log2(results["codes"]["codes"]) / 64)
    assert results["speed"]["training"] == 0.5
    assert results["model"]["steps"] == 10
    assert results["similarity"]["conversions"]["count"] == results["similarity"]["conversions_unseen"]["count"] == 2
    assert results["nearest"]["copies"] == 3
    assert all("missing" in results[name] for name in (*JUDGED, "world"))
    assert results["mcd"]["copies"]["utterances"] == 3

    wavs = sorted(path.relative_to(out / "wav").as_posix() for path in (out / "wav").rglob("*.wav"))
    assert sorted(str(Path(sample["wav"]).relative_to(out / "wav")) for sample in results["samples"]) == [
        name for name in wavs if not name.startswith("source/")
    ]
    assert sum(name.startswith("copy/") for name in wavs) == 3
    assert all(audio.duration(out / "wav" / name) == pytest.approx(0.05) for name in wavs)
    assert results["figures"] and all(Path(path).is_file() for path in results["figures"])


def test_the_same_numbers_every_time(evaluate: Evaluate) -> None:
    first, second = evaluate(), evaluate()
    for results in (first, second):
        del results["speed"]
    assert first == second


def test_units_only_samples_nothing(evaluate: Evaluate, tmp_path: Path) -> None:
    results = evaluate(units_only=True)
    assert "samples" not in results
    assert results["speed"].keys() == {"training", "encoding"}
    assert results["phones"] == {"missing": "no phone labels"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["RESULTS.md", "results.json"]


def test_only_the_measures_that_are_asked_for_are_taken(evaluate: Evaluate, tmp_path: Path) -> None:
    results = evaluate(measures=["codes", "speaker"])
    assert set(runner.MEASURES) & set(results) == {"codes", "speaker"}
    assert not (tmp_path / "out" / "wav").exists()
    page = (tmp_path / "out" / "RESULTS.md").read_text()
    assert "perplexity" in page and "bits per sample" not in page
    with pytest.raises(UsageError, match=r"unknown measure 'phone'; did you mean phones\? \(one of bits, "):
        evaluate(measures=["codes", "phone"])


def test_bad_speech_stops_or_is_counted(evaluate: Evaluate, tmp_path: Path) -> None:
    bad = tmp_path / "test-wav" / "a_001.flac"
    bad.write_bytes(bad.read_bytes()[:500])
    with pytest.raises(VqspeechError, match=r"a_001\.flac"):
        evaluate(utterances=99)
    assert not (tmp_path / "out" / "results.json").exists()
    (tmp_path / "splits.json").write_text('{"skipped": {"z": "no text"}, "left_out": {"x": "p315", "y": "p315"}}')
    results = evaluate(utterances=99, skip_bad=True)
    assert results["preparation"] == {"skipped": {"z": "no text"}, "left_out": 2}
    assert list(results["data"]["test"]["skipped"]) == ["a_001"]
    assert "| test | 6 | 0.1 | 2 | 1 |" in (tmp_path / "out" / "RESULTS.md").read_text()


def test_one_utterance_is_enough_to_end_well(evaluate: Evaluate, tmp_path: Path) -> None:
    make_data_dir(tmp_path / "lone", speakers=("a",), utterances=1, seconds=0.3)
    results = evaluate(tmp_path / "lone", conversions=1)
    assert "missing" in results["bits"]
    assert "missing" in results["nearest"]
    assert "- |" in (tmp_path / "out" / "RESULTS.md").read_text()


def test_whatever_is_bad_something_is_measured(evaluate: Evaluate, tmp_path: Path) -> None:
    for path in [*(tmp_path / "train-wav").glob("b_*"), *(tmp_path / "unseen-wav").glob("*")]:
        path.write_bytes(b"")
    results = evaluate(skip_bad=True, unseen=tmp_path / "unseen")
    assert results["similarity"] == {"missing": "needs samples and two speakers"}
    assert "none of the utterances" in results["codes_unseen"]["missing"]
    for path in (tmp_path / "test-wav").glob("*"):
        path.write_bytes(b"")
    results = evaluate(skip_bad=True)
    assert all("missing" in results[name] for name in ("bits", "codes", "phones", "speed", "nearest", "similarity"))
    assert len(results["data"]["test"]["skipped"]) == 6


def test_speed_is_taken_of_the_first_that_can_be_read(evaluate: Evaluate, tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "many", utterances=5, seconds=0.3)
    for utterance in by_hash(data.utterances)[:8]:
        data.wavs[utterance].write_bytes(b"")
    assert evaluate(data.path, skip_bad=True)["speed"]["encoding"] > 0


def test_bad_labels_count_as_bad_utterances(evaluate: Evaluate, tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "more", utterances=4, seconds=0.5)
    labelled = give_labels(data, tmp_path / "labelled")
    first, second, *_ = data.utterances
    (tmp_path / "phones" / f"{first}.phn").write_text("no label\n")
    with pytest.raises(VqspeechError, match=f"{first}.phn:1"):
        evaluate(labelled, labelled, utterances=99)
    (tmp_path / "phones" / f"{second}.phn").unlink()
    results = evaluate(labelled, labelled, utterances=99, skip_bad=True)
    assert results["phones"]["test_utterances"] == results["phones"]["train_utterances"] == 6
    assert results["data"]["test"]["skipped"].keys() == {first, second}


def test_without_copies_there_is_no_natural_speech_to_compare(evaluate: Evaluate, tmp_path: Path) -> None:
    results = evaluate(copies=0, unseen=tmp_path / "unseen")
    assert results["similarity"]["natural"] is None
    assert results["similarity"]["conversions_unseen"]["count"] == 2


def test_the_audio_of_data_dirs_is_not_levelled_again(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "level_gain", lambda *_: pytest.fail("levelled"))
    assert evaluate()["samples"]
