from pathlib import Path

import numpy as np
import pytest
import torch

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.evaluation.bits import bits_per_sample
from vqspeech.evaluation.likelihood import bits_at_equal_steps, measure_bits
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speech import Speech


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    return vqspeech.load(tmp_path / "model")


def test_bits_are_those_of_the_middle_second_in_the_right_voice(codec: Codec, tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", utterances=1, seconds=1.5)
    bits = measure_bits(codec, Speech(tmp_path / "test", codec.sample_rate))
    middles = [audio.read(data.wavs[utterance], 16000)[4000:20000] for utterance in ("a_000", "b_000")]
    batch = torch.from_numpy(np.stack(middles)), torch.tensor([0, 1])
    for choice in ("true", "shuffled", "zeroed"):
        assert bits[choice] == pytest.approx(bits_per_sample(codec.model, *batch, choice), rel=1e-5)
    assert (bits["utterances"], bits["seconds"]) == (2, 2.0)


def test_too_little_speech_cannot_be_measured(codec: Codec, tmp_path: Path) -> None:
    make_data_dir(tmp_path / "test", seconds=0.5)
    with pytest.raises(CannotMeasure, match="fewer than two"):
        measure_bits(codec, Speech(tmp_path / "test", codec.sample_rate))


def dev(step: int, bits: float) -> dict:
    return {"split": "dev", "step": step, "bits_true": bits}


def test_runs_are_compared_after_as_many_steps() -> None:
    ours = [dev(100, 6.0), {"split": "train", "step": 200}, dev(200, 5.0), dev(300, 4.0), dev(900, 3.0)]
    theirs = [dev(150, 6.5), dev(310, 5.5), {"split": "train", "step": 320}]
    assert bits_at_equal_steps(ours, theirs) == {
        "step": 310,
        "bits": 5.5,
        "step_with_codes": 300,
        "bits_with_codes": 4.0,
    }


def test_a_run_that_was_never_evaluated_cannot_be_compared() -> None:
    assert bits_at_equal_steps([dev(100, 6.0)], [{"split": "train", "step": 1}]) is None
    assert bits_at_equal_steps([], [dev(100, 6.0)]) is None
