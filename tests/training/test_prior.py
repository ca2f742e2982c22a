import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from vqspeech.config import CodeTrainingConfig, PriorConfig, PriorTraining
from vqspeech.errors import VqspeechError
from vqspeech.training.prior import train_prior
from vqspeech.units.prior import load_priors
from vqspeech.units.store import write_units

INFO = {"codes": 6, "hop": 64, "sample_rate": 16000, "model_sha256": "0" * 64}
CONFIG = PriorTraining(
    model=PriorConfig(width=16, layers=1, heads=2, window=8, dropout=0.0),
    training=CodeTrainingConfig(
        max_steps=120, batch_size=4, crop=24, learning_rate=1e-2, warmup_steps=5, eval_every=60
    ),
)


def make_units(folder: Path, utterances: int, seed: int, info: dict[str, object] = INFO) -> Path:
    """Speaker a counts up, speaker b counts down, both with repetitions."""
    rng = np.random.default_rng(seed)
    units, speakers = {}, {}
    for number in range(utterances):
        speaker = "ab"[number % 2]
        steps = np.cumsum(rng.random(50) < 0.5) + rng.integers(6)
        units[f"{speaker}_{number}"] = (steps if speaker == "a" else -steps) % 6
        speakers[f"{speaker}_{number}"] = speaker
    write_units(folder, info, units, speakers)
    return folder


def test_the_prior_learns_what_follows_what(tmp_path: Path) -> None:
    train, dev = make_units(tmp_path / "train", 12, seed=0), make_units(tmp_path / "dev", 4, seed=1)
    bits = train_prior(CONFIG, train, dev, tmp_path / "prior")
    # Staying and going on are equally likely: one bit, once it is known who speaks.
    assert 0.95 < bits.autoregressive < 1.4
    assert bits.autoregressive < bits.bigram < bits.histogram < bits.uniform + 0.1
    priors = load_priors(tmp_path / "prior")
    assert priors.speakers == ("a", "b")
    assert priors.info["model_sha256"] == INFO["model_sha256"]
    with pytest.raises(VqspeechError, match="holds a prior already"):
        train_prior(CONFIG, train, dev, tmp_path / "prior")


def test_merged_runs_and_a_run_resumed(tmp_path: Path) -> None:
    train, dev = make_units(tmp_path / "train", 12, seed=0), make_units(tmp_path / "dev", 4, seed=1)
    whole = train_prior(CONFIG, train, dev, tmp_path / "whole", merge=True)
    assert whole.autoregressive < 0.5  # nothing is left to guess but the first code
    half = dataclasses.replace(CONFIG, training=dataclasses.replace(CONFIG.training, stop_steps=60))
    train_prior(half, train, dev, tmp_path / "parts", merge=True)
    train_prior(CONFIG, train, dev, tmp_path / "parts", merge=True, resume=True)
    weights = [load_priors(tmp_path / name).autoregressive.state_dict() for name in ("whole", "parts")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert load_priors(tmp_path / "parts").info["merged"]


@pytest.mark.parametrize("empty", ["train", "dev"])
def test_units_without_utterances_are_refused_before_training(tmp_path: Path, empty: str) -> None:
    folders = {name: make_units(tmp_path / name, 0 if name == empty else 2, seed=0) for name in ("train", "dev")}
    with pytest.raises(VqspeechError, match=f"{empty}: no utterances to"):
        train_prior(CONFIG, folders["train"], folders["dev"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_units_of_another_model_are_refused(tmp_path: Path) -> None:
    train = make_units(tmp_path / "train", 2, seed=0)
    dev = make_units(tmp_path / "dev", 2, seed=1, info={**INFO, "model_sha256": "1" * 64})
    with pytest.raises(VqspeechError, match="units of another model"):
        train_prior(CONFIG, train, dev, tmp_path / "prior")


def test_units_without_speakers_need_a_prior_without(tmp_path: Path) -> None:
    train, dev = make_units(tmp_path / "train", 4, seed=0), make_units(tmp_path / "dev", 2, seed=1)
    (train / "utt2spk").unlink()
    with pytest.raises(VqspeechError, match=r"--model\.speaker false"):
        train_prior(CONFIG, train, dev, tmp_path / "prior")
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, speaker=False))
    assert train_prior(config, train, dev, tmp_path / "prior").autoregressive < 2


def test_a_loss_that_is_no_number_is_told_with_what_helps_a_prior(tmp_path: Path) -> None:
    train, dev = make_units(tmp_path / "train", 4, seed=0), make_units(tmp_path / "dev", 2, seed=1)
    training = dataclasses.replace(CONFIG.training, learning_rate=1e30, gradient_clip=1e30, warmup_steps=1)
    with pytest.raises(VqspeechError, match=r"--resume with a lower --training\.learning_rate$"):
        train_prior(dataclasses.replace(CONFIG, training=training), train, dev, tmp_path / "prior")


def change(folder: Path, **values: object) -> None:
    """Change what a prior says of itself."""
    found = json.loads((folder / "prior.json").read_text())
    (folder / "prior.json").write_text(json.dumps(found | values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "prior.json").unlink(), "not a prior"),
        (lambda folder: (folder / "prior.safetensors").unlink(), "not a prior"),
        (lambda folder: (folder / "prior.json").write_text("[]"), "damaged"),
        (lambda folder: (folder / "prior.safetensors").write_bytes(b"x" * 100), "damaged"),
        (lambda folder: change(folder, codes=2**62), "damaged: codes"),
        (lambda folder: change(folder, codes=2**20), "tells of [0-9]+ weights"),
        (lambda folder: change(folder, config={"width": 2**24, "heads": 2}), "tells of [0-9]{12,} weights"),
    ],
)
def test_a_damaged_prior_is_named(tmp_path: Path, damage: object, message: str) -> None:
    train, dev = make_units(tmp_path / "train", 2, seed=0), make_units(tmp_path / "dev", 2, seed=1)
    training = dataclasses.replace(CONFIG.training, max_steps=2)
    train_prior(dataclasses.replace(CONFIG, training=training), train, dev, tmp_path / "prior")
    damage(tmp_path / "prior")
    with pytest.raises(VqspeechError, match=message):
        load_priors(tmp_path / "prior")
