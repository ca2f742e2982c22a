from pathlib import Path

import numpy as np

from tests.speech import make_data_dir
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.speech import Speech


def test_an_utterance_is_encoded_once_and_those_of_two_data_dirs_are_kept_apart(tmp_path: Path) -> None:
    short, long = (Speech(make_data_dir(tmp_path / str(s), seconds=s).path, 16000, skip_bad=True) for s in (0.1, 0.2))
    short.data.wavs["a_001"].write_bytes(b"")
    lengths: list[int] = []

    def encode(waveform: np.ndarray) -> np.ndarray:
        lengths.append(len(waveform))
        return np.arange(len(waveform) // 160)

    coded = Coded(encode, 20)
    first = dict(coded.of(short, ["a_000", "a_001", "b_000"]))
    assert {id: len(codes) for id, codes in first.items()} == {"a_000": 10, "b_000": 10}
    assert {id: len(codes) for id, codes in coded.of(long, ["b_000"])} == {"b_000": 20}
    assert list(dict(coded.of(short, ["b_000", "b_001", "a_000"]))) == ["b_000", "b_001", "a_000"]
    assert lengths == [1600, 1600, 3200, 1600]
