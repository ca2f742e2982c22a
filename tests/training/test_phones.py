from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.speech import make_data_dir
from tests.tiny import TRAINING, tiny_config
from vqspeech.data.kaldi import DataDir
from vqspeech.data.phones import UNKNOWN
from vqspeech.errors import VqspeechError
from vqspeech.hub import from_pretrained
from vqspeech.training.log import read_metrics
from vqspeech.training.phones import PhoneHead
from vqspeech.training.vqvae import train


def label(data: DataDir) -> DataDir:
    """One phone a speaker, between silences, so that phones can be learnt from these voices."""
    for id in data.wavs:
        path = data.path.parent / f"{id}.phn"
        path.write_text(f"0.0 0.05 sil\n0.05 0.55 {'AA' if data.utt2spk[id] == 'a' else 'S'}\n0.55 0.6 pau\n")
        data.labels[id] = path
    (data.path / "labels.scp").write_text("".join(f"{id} {path}\n" for id, path in data.labels.items()))
    return data


def test_only_known_frames_count() -> None:
    torch.manual_seed(0)
    head = PhoneHead(dim=3, phones=4)
    latents, classes = torch.randn(2, 3, 5), torch.tensor([[0, 1, 2, UNKNOWN, 3], [UNKNOWN] * 5])
    nats, right = head(latents, classes)
    rows = latents[0].t()[[0, 1, 2, 4]] @ head.final.weight[:, :, 0].t() + head.final.bias
    expected = -functional.log_softmax(rows, 1)[range(4), [0, 1, 2, 3]].mean()
    torch.testing.assert_close(nats, expected)
    assert float(right) == (rows.argmax(1) == torch.tensor([0, 1, 2, 3])).float().mean()
    nats, right = head(latents, torch.full((2, 5), UNKNOWN))
    assert (nats.item(), right.item()) == (0, 0)


def test_codes_learn_phones_that_training_is_told(tmp_path: Path) -> None:
    label(make_data_dir(tmp_path / "train"))
    label(make_data_dir(tmp_path / "dev"))
    settings = replace(
        TRAINING,
        max_steps=80,
        eval_every=80,
        batch_size=6,
        warmup_steps=1,
        learning_rate=1e-2,
        phone_weight=300.0,
        weight_ema=0.5,
    )
    config = tiny_config(settings, start_steps=40)
    train(config, tmp_path / "train", tmp_path / "dev", tmp_path / "out", accelerator="cpu")
    lines = read_metrics(tmp_path / "out/train/metrics.jsonl")
    assert [line["phones_right"] for line in lines if line["split"] == "dev"][-1] > 0.75
    # The head is of training alone.
    assert not any("phones" in name for name, _ in from_pretrained(tmp_path / "out").model.named_parameters())


def test_data_without_labels_are_refused_in_training_and_left_out_on_dev(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train")
    make_data_dir(tmp_path / "dev")
    config = tiny_config(replace(TRAINING, phone_weight=1.0))
    with pytest.raises(VqspeechError, match="no phone labels"):
        train(config, data.path, tmp_path / "dev", tmp_path / "out", accelerator="cpu")
    label(data)
    train(config, data.path, tmp_path / "dev", tmp_path / "out", accelerator="cpu")
    lines = read_metrics(tmp_path / "out/train/metrics.jsonl")
    assert all(("phones_right" in line) == (line["split"] == "train") for line in lines)
