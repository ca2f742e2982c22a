import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.speech import make_data_dir
from tests.tiny import TRAINING, tiny_config
from vqspeech.data.dataset import Batch, Crops
from vqspeech.data.kaldi import DataDir, read_data_dir
from vqspeech.data.phones import UNKNOWN, PhoneTargets
from vqspeech.errors import VqspeechError
from vqspeech.hub import from_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.settings import ConfigError
from vqspeech.training.log import read_metrics
from vqspeech.training.phones import PhoneHead
from vqspeech.training.vqvae import Losses, train


def label(data: DataDir) -> DataDir:
    """One phone a speaker, between silences, so that phones can be learnt from these voices."""
    for id in data.wavs:
        path = data.path.parent / f"{id}.phn"
        path.write_text(f"0.0 0.05 sil\n0.05 0.55 {'AA' if data.utt2spk[id] == 'a' else 'S'}\n0.55 0.6 pau\n")
        data.labels[id] = path
    (data.path / "labels.scp").write_text("".join(f"{id} {path}\n" for id, path in data.labels.items()))
    return data


def targets(folder: Path) -> PhoneTargets:
    return PhoneTargets(read_data_dir(folder / "train"), hop=64, sample_rate=16000)


def batch_of(folder: Path, **settings: int) -> Batch:
    settings = replace(TRAINING, phone_weight=1.0, **settings)
    return Crops(read_data_dir(folder / "train"), ("a", "b"), settings, 16000, targets(folder))[0]


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


def test_codes_learn_phones_while_the_decoder_stays_as_it_is(tmp_path: Path) -> None:
    label(make_data_dir(tmp_path / "train"))
    label(make_data_dir(tmp_path / "dev"))
    settings = replace(TRAINING, max_steps=120, eval_every=40, batch_size=6, warmup_steps=1, learning_rate=1e-2)
    config = tiny_config(replace(settings, phone_weight=1.0, phones_alone=True), start_steps=80)
    train(config, tmp_path / "train", tmp_path / "dev", tmp_path / "out", accelerator="cpu")
    dev = [line for line in read_metrics(tmp_path / "out/train/metrics.jsonl") if line["split"] == "dev"]
    assert dev[-1]["phones_right"] > 0.75
    torch.manual_seed(settings.seed)
    before, after = VQVAE(config.model, 2).state_dict(), from_pretrained(tmp_path / "out").model.state_dict()
    # The head is of training alone.
    assert before.keys() == after.keys()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"encoder", "bottleneck"}


def test_phones_are_a_second_task_beside_the_decoders(tmp_path: Path) -> None:
    label(make_data_dir(tmp_path / "train"))
    batch = batch_of(tmp_path)
    for bottleneck in ("vq", "vimco"):
        torch.manual_seed(0)
        losses = Losses(VQVAE(tiny_config(name=bottleneck, start_steps=0).model, 2), phones=3, phone_weight=64.0)
        found = losses(batch)
        nats = found["phones"].item()
        assert 0 < nats < 3
        # A weight of one hop in nats a frame is one in nats a sample.
        others = sum(found[name].item() for name in ("commitment", "score") if name in found)
        assert found["loss"].item() == pytest.approx(found["bits"].item() * math.log(2) + others + nats, rel=1e-5)
        found["phones"].backward()
        assert losses.phones.final.weight.grad.abs().sum() > 0


def test_crops_for_phones_alone_are_not_spoken(tmp_path: Path) -> None:
    label(make_data_dir(tmp_path / "train"))
    batch = batch_of(tmp_path, phone_crops=3)
    torch.manual_seed(0)
    losses = Losses(VQVAE(tiny_config(name="soft_em", start_steps=0).model, 2), phones=3, phone_weight=64.0).eval()
    spoken = batch._replace(heard=batch.heard[:2], phones=batch.phones[:2])
    both, only = losses(batch), losses(spoken)
    assert both["bits"].item() == pytest.approx(only["bits"].item(), rel=1e-5)
    encoded = losses.model.bottleneck(losses.model.encoder(batch.heard)).latents
    assert both["phones"].item() == pytest.approx(losses.phones(encoded, batch.phones)[0].item(), rel=1e-5)
    assert both["phones"].item() != pytest.approx(only["phones"].item(), rel=1e-3)
    with pytest.raises(ConfigError, match="nvil learns from what the decoder makes of every crop"):
        tiny_config(replace(TRAINING, phone_weight=1.0, phone_crops=1), name="nvil")


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
