from pathlib import Path

import numpy as np
import pytest

import vqspeech
from tests.evaluation.test_runner import give_labels
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.phone_map import TABLE, count, measure_map, read_counts, write_counts
from vqspeech.evaluation.speech import Speech


def test_by_hand() -> None:
    codes, phones, counts = count(np.array([7, 7, 2, 7, 2]), np.array(["b", "a", "a", "b", "a"]))
    assert (codes.tolist(), phones.tolist()) == ([2, 7], ["a", "b"])
    assert counts.tolist() == [[2, 0], [1, 2]]


def test_the_table_is_plain_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    write_counts(path, np.array([2, 7]), np.array(["a", "b"]), np.array([[2, 0], [1, 2]]))
    assert path.read_text() == "code\ta\tb\n2\t2\t0\n7\t1\t2\n"
    codes, phones, counts = read_counts(path)
    assert (codes.tolist(), phones.tolist(), counts.tolist()) == ([2, 7], ["a", "b"], [[2, 0], [1, 2]])
    for damaged in ("", "code\ta\n1\tx\n", "code\ta\n1\n"):
        path.write_text(damaged)
        with pytest.raises(VqspeechError, match=r"table\.tsv: damaged: .*remake it"):
            read_counts(path)


def test_every_frame_of_speech_is_counted_once(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    codec = vqspeech.load(tmp_path / "model")
    labelled = give_labels(make_data_dir(tmp_path / "data", seconds=1.2), tmp_path / "labelled")
    speech = Speech(labelled, codec.sample_rate)
    found = measure_map(codec, Coded.by(codec), speech, 4, tmp_path)
    # Of 300 frames an utterance the first 25, 0.1 s, are silence, and each later tenth of a second is one phone.
    expected: dict[tuple[int, str], int] = {}
    for _, waveform in speech.read(speech.first(4)):
        for frame, code in enumerate(codec.encode(waveform, level=False).tolist()):
            if frame >= 25:
                key = code, "abac"[frame // 25 % 4]
                expected[key] = expected.get(key, 0) + 1
    codes, phones, counts = read_counts(tmp_path / TABLE)
    assert {
        (code, phone): number
        for code, row in zip(codes.tolist(), counts.tolist(), strict=True)
        for phone, number in zip(phones.tolist(), row, strict=True)
        if number
    } == expected
    assert found == {"file": TABLE, "codes": len(codes), "phones": 3, "frames": 4 * 275, "utterances": 4}


def test_without_labels_it_says_so(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    codec = vqspeech.load(tmp_path / "model")
    with pytest.raises(CannotMeasure, match="no phone labels"):
        measure_map(
            codec, Coded.by(codec), Speech(make_data_dir(tmp_path / "data").path, codec.sample_rate), 4, tmp_path
        )
    assert not (tmp_path / TABLE).exists()
