from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.speech import make_data_dir
from vqspeech.data.kaldi import write_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.representation import check_phone_sets
from vqspeech.evaluation.speech import Speech


def test_labels_of_something_longer_are_named(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "made", speakers=("a",), utterances=2, seconds=0.5)
    labels = {id: tmp_path / f"{id}.phn" for id in data.utterances}
    labels["a_000"].write_text("0.0 0.2 a\n0.2 9.0 sil\n")
    # As TIMIT has them, in samples.
    labels["a_001"].write_text("0 3200 a\n3200 8000 b\n")
    write_data_dir(replace(data, path=tmp_path / "data", labels=labels))
    speech = Speech(tmp_path / "data", 16000)
    assert [phone.phone for phone in speech.labels(["a_000"])["a_000"]] == ["a", "sil"]
    with pytest.raises(VqspeechError, match=r"a_001\.phn: its last phone ends at 8000\.0 s, .* a_001 at 0\.5 s"):
        speech.labels(["a_001"])


def test_sides_whose_phones_have_other_names_are_not_compared() -> None:
    train, test = [np.array(["AA", "S", "sil", ""])], [np.array(["aa", "s", "pau"])]
    with pytest.raises(CannotMeasure, match=r"training speech \(AA S, ...\) and test speech \(aa s, ...\) share no"):
        check_phone_sets(train, test)
    check_phone_sets(train, [np.array(["S"])])
