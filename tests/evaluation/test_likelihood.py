import math
from pathlib import Path

import numpy as np
import pytest
import torch

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.config import PriorConfig
from vqspeech.evaluation.bits import bits, choices
from vqspeech.evaluation.likelihood import bits_at_equal_steps, measure_bits, measure_bound
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speech import Speech
from vqspeech.models.prior import Autoregressive, Histogram
from vqspeech.units.model import model_sha256
from vqspeech.units.prior import Priors, save_priors


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model", speakers=("a", "b"))
    return vqspeech.load(tmp_path / "model")


def test_bits_are_those_of_the_middle_second_in_the_right_voice(codec: Codec, tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", utterances=1, seconds=1.5)
    found = measure_bits(codec, Speech(tmp_path / "test", codec.sample_rate))
    middles = [audio.read(data.wavs[utterance], 16000)[4000:20000] for utterance in ("a_000", "b_000")]
    batch = torch.from_numpy(np.stack(middles)), torch.tensor([0, 1])
    latents = codec.model.encode(batch[0]).latents
    for choice, chosen in choices(latents).items():
        of_each = bits(codec.model, *batch, chosen, torch.tensor([16000, 16000])) / 16000
        assert found[choice] == pytest.approx(float(of_each.mean()), rel=1e-5)
        assert found[f"{choice}_interval"] == pytest.approx(sorted(of_each.tolist()), rel=1e-5)
    assert torch.equal(choices(latents)["shuffled"], latents[[1, 0]])
    assert (found["utterances"], found["seconds"]) == (2, 2.0)


def test_padding_costs_no_bits(codec: Codec) -> None:
    waveforms, speakers = torch.rand(2, 1280) - 0.5, torch.tensor([0, 1])
    latents = codec.model.encode(waveforms).latents
    whole, part = (bits(codec.model, waveforms, speakers, latents, torch.tensor([1280, n])) for n in (1280, 640))
    assert whole[0] == part[0]
    nll = codec.model.negative_log_likelihood(waveforms, latents, speakers).detach()
    assert float(part[1]) == pytest.approx(float(nll[1, :640].sum()) / math.log(2), rel=1e-5)


def test_too_little_speech_cannot_be_measured(codec: Codec, tmp_path: Path) -> None:
    make_data_dir(tmp_path / "test", seconds=0.5)
    with pytest.raises(CannotMeasure, match="fewer than two"):
        measure_bits(codec, Speech(tmp_path / "test", codec.sample_rate))


def test_the_bound_adds_what_the_codes_cost_under_each_prior(codec: Codec, tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", utterances=1, seconds=1.5)
    torch.manual_seed(0)
    histogram = Histogram(codec.codes, torch.arange(codec.codes))
    transformer = Autoregressive(codec.codes, 2, PriorConfig(width=8, layers=1, heads=1))
    info = {"codes": codec.codes, "merged": False, "model_sha256": model_sha256(codec)}
    save_priors(tmp_path / "prior", Priors(histogram, transformer, ("b", "a"), info))
    speech = Speech(tmp_path / "test", codec.sample_rate)
    found = measure_bound(codec, speech, tmp_path / "prior")
    assert found["given_codes"] == pytest.approx(measure_bits(codec, speech)["true"])
    assert found["codes"]["uniform"] == pytest.approx(math.log2(codec.codes) / codec.hop)
    middles = [audio.read(data.wavs[utterance], 16000)[4000:20000] for utterance in ("a_000", "b_000")]
    codes = codec.model.encode(torch.from_numpy(np.stack(middles))).indices
    # Add-one counts, as the histogram has them.
    chances = (np.arange(codec.codes) + 1) / (np.arange(codec.codes) + 1).sum()
    assert found["codes"]["histogram"] == pytest.approx(-np.log2(chances[codes.numpy()]).mean() / codec.hop, rel=1e-4)
    # Speakers a and b are the rows 1 and 0 of this prior.
    log_prob = transformer.eval().log_prob(codes, torch.tensor([1, 0]))
    cost = -log_prob.mean().item() / math.log(2) / codec.hop
    assert found["codes"]["autoregressive"] == pytest.approx(cost, rel=1e-4)
    assert found["bound"]["histogram"] == pytest.approx(found["given_codes"] + found["codes"]["histogram"])
    low, high = found["bound_interval"]["histogram"]
    assert low < found["bound"]["histogram"] < high


def test_without_a_prior_there_is_no_bound(codec: Codec, tmp_path: Path) -> None:
    make_data_dir(tmp_path / "test", utterances=1, seconds=1.5)
    with pytest.raises(CannotMeasure, match="no prior"):
        measure_bound(codec, Speech(tmp_path / "test", codec.sample_rate), None)


def test_the_bound_of_a_gaussian_is_of_draws_with_their_divergence(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_tiny_model(tmp_path / "model", speakers=("a", "b"), name="vae")
    codec = vqspeech.load(tmp_path / "model")
    make_data_dir(tmp_path / "test", utterances=1, seconds=1.5)
    speech = Speech(tmp_path / "test", codec.sample_rate)
    found = measure_bound(codec, speech, None)
    assert found["given_codes"] != measure_bits(codec, speech)["true"]
    assert found["bound"]["normal"] == pytest.approx(found["given_codes"] + found["codes"]["normal"])
    assert found == measure_bound(codec, speech, None)


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
