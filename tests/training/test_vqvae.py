import dataclasses
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.speech import make_data_dir
from tests.tiny import TRAINING, tiny_config
from vqspeech.config import Config, EncoderConfig
from vqspeech.data import shards
from vqspeech.data.dataset import held_out_crops
from vqspeech.data.kaldi import read_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.hub import from_pretrained
from vqspeech.settings import ConfigError
from vqspeech.training.checkpoint import checkpoints, newest_state
from vqspeech.training.log import read_metrics
from vqspeech.training.vqvae import train


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Data dirs, and one thread here and in other processes: several do not give every bit on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_data_dir(tmp_path / "train")
    make_data_dir(tmp_path / "dev", utterances=2)
    yield tmp_path
    torch.set_num_threads(threads)


def run(data: Path, out: str, config: Config | None = None, **options: object) -> Path:
    train(config or tiny_config(), data / "train", data / "dev", data / out, accelerator="cpu", **options)
    return data / out


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(newest_state(folder / "train"))


def same(one: Path, other: Path) -> bool:
    a, b = weights(one), weights(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_what_a_run_leaves_behind(data: Path) -> None:
    out = run(data, "out")
    model = from_pretrained(out)
    assert model.speakers == ("a", "b")
    assert model.model.bottleneck.started
    assert model.notes["step"] in (2, 4, 6)
    lines = read_metrics(out / "train" / "metrics.jsonl")
    assert [line["step"] for line in lines if line["split"] == "dev"] == [2, 4, 6]
    last = lines[-1]
    assert {"bits_true", "bits_shuffled", "bits_zeroed", "perplexity", "codes_in_use"} <= last.keys()
    assert list((out / "train").glob("events.out.tfevents.*"))
    assert [path.name for path in checkpoints(out / "train")] == [
        "state-000006.safetensors",
        "state-000004.safetensors",
    ]


def test_tensorboard_holds_curves_codes_and_audio(data: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = run(data, "out", tiny_config(dataclasses.replace(TRAINING, max_steps=3, audio_seconds=0.02)))
    tags = EventAccumulator(str(out / "train")).Reload().Tags()
    assert {"train/bits", "dev/bits_true", "dev/bits_shuffled", "dev/bits_zeroed"} <= set(tags["scalars"])
    assert tags["histograms"] == ["dev/codes"]
    assert set(tags["audio"]) == {"dev/source", "dev/copy"}


def test_training_learns(data: Path) -> None:
    settings = dataclasses.replace(TRAINING, max_steps=100, eval_every=100, warmup_steps=5, learning_rate=1e-2)
    out = run(data, "out", tiny_config(settings, start_steps=5))
    bits = [line["bits"] for line in read_metrics(out / "train" / "metrics.jsonl") if line["split"] == "train"]
    # Knowing nothing costs eight bits.
    assert bits[0] > 7.8
    assert bits[-1] < 7.2


def test_resumed_equals_never_stopped(data: Path) -> None:
    whole = run(data, "whole")
    # The same schedule, cut after the checkpoint at step 4.
    first = subprocess.run([sys.executable, "-c", CUT.format(root=data, out=data / "cut", kill_at=5)], cwd=ROOT)
    assert first.returncode == -signal.SIGKILL
    assert not same(whole, data / "cut")
    resumed = run(data, "cut", resume=True)
    assert same(whole, resumed)
    assert load_file(whole / "model.safetensors").keys() == load_file(resumed / "model.safetensors").keys()
    steps = [line["step"] for line in read_metrics(resumed / "train" / "metrics.jsonl") if line["split"] == "dev"]
    assert steps == [2, 4, 6]


def test_killed_amid_shards_and_resumed_equals_files_never_stopped(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(data, "whole")
    monkeypatch.setattr(shards, "SHARD_BYTES", 30_000)
    sharded = data / "sharded"
    for name in ("train", "dev"):
        shards.write_shards(read_data_dir(data / name), data / f"{name}-shards", sharded / name)
    assert len(list((data / "train-shards").iterdir())) > 1
    killed = subprocess.run([sys.executable, "-c", CUT.format(root=sharded, out=sharded / "out", kill_at=5)], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert not same(whole, sharded / "out")
    assert same(whole, run(sharded, "out", resume=True))


ROOT = Path(__file__).parents[2]
CUT = """
import os, signal
from pathlib import Path
from tests.tiny import tiny_config
from vqspeech.training import vqvae
before = vqvae.VQVAETask.before_step
def killed(task, step):
    if step == {kill_at}:
        os.kill(os.getpid(), signal.SIGKILL)
    before(task, step)
vqvae.VQVAETask.before_step = killed
root = Path("{root}")
vqvae.train(tiny_config(), root / "train", root / "dev", Path("{out}"), accelerator="cpu")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_the_step_and_resuming_goes_on_from_there(data: Path, number: signal.Signals) -> None:
    code = CUT.format(root=data, out=data / "cut", kill_at=4).replace("signal.SIGKILL", f"signal.{number.name}")
    stopped = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    # What Python exits with after an uncaught KeyboardInterrupt is not ours to decide.
    assert stopped.stderr.endswith("KeyboardInterrupt\n") if number == signal.SIGINT else stopped.returncode == 143
    assert stopped.returncode != 0
    assert "stopped after step 5" in stopped.stderr
    assert same(run(data, "whole"), run(data, "cut", resume=True))


def test_another_run_cannot_be_resumed(data: Path) -> None:
    out = run(data, "out")
    with pytest.raises(VqspeechError, match="another model"):
        run(data, "out", tiny_config(beta=0.5), resume=True)
    make_data_dir(data / "others", speakers=("c", "d"))
    with pytest.raises(VqspeechError, match="another speaker table"):
        train(tiny_config(), data / "others", data / "others", out, resume=True, accelerator="cpu")


def test_a_trained_codebook_is_not_placed_again(data: Path) -> None:
    old = run(data, "old", tiny_config(ema_decay=1.0, restart=0.0))
    new = run(data, "new", tiny_config(dataclasses.replace(TRAINING, max_steps=4)), init=old)
    books = [from_pretrained(folder).model.bottleneck.codebook for folder in (old, new)]
    assert torch.equal(*books)


def test_a_budget_that_ends_before_the_codes_are_placed_is_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="start_steps 6"):
        run(data, "out", tiny_config(start_steps=6))


def test_a_run_is_not_overwritten(data: Path) -> None:
    run(data, "out")
    with pytest.raises(VqspeechError, match="holds a model already: continue it with --resume"):
        run(data, "out")


def test_init_keeps_the_weights_and_gives_new_speakers_rows(data: Path) -> None:
    old = run(data, "old")
    make_data_dir(data / "more", speakers=("a", "c"))
    still = dataclasses.replace(TRAINING, max_steps=1, learning_rate=0.0)
    train(tiny_config(still), data / "more", data / "dev", data / "new", init=old, accelerator="cpu")
    before, after = from_pretrained(old), from_pretrained(data / "new")
    assert after.speakers == ("a", "b", "c")
    table = before.model.speakers.weight
    assert torch.equal(after.model.speakers.weight[:2], table)
    assert torch.allclose(after.model.speakers.weight[2], table.mean(0))
    assert torch.equal(after.model.decoder.dilated, before.model.decoder.dilated)


def test_a_loss_that_is_no_number_stops_the_run(data: Path) -> None:
    settings = dataclasses.replace(TRAINING, learning_rate=1e30, gradient_clip=1e30, warmup_steps=1)
    with pytest.raises(
        VqspeechError, match=r"with a lower --training\.learning_rate or with --training\.precision 32-true$"
    ):
        run(data, "out", tiny_config(settings))


def test_collapsed_codes_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = dataclasses.replace(TRAINING, max_steps=4)
    run(data, "out", tiny_config(settings, codes=512, restart=0.0, kmeans=False, start_steps=0))
    assert "the codes are collapsing" in capsys.readouterr().err


def test_a_budget_in_minutes_ends_the_run(data: Path) -> None:
    settings = dataclasses.replace(TRAINING, max_steps=100_000, max_minutes=0.05)
    start = time.monotonic()
    out = run(data, "out", tiny_config(settings))
    assert time.monotonic() - start < 30
    last = read_metrics(out / "train" / "metrics.jsonl")[-1]
    assert 0.05 <= last["minutes"] < 0.3 and last["split"] == "dev"


def test_stopped_early_the_learning_rates_are_those_of_the_whole_budget(data: Path) -> None:
    whole = read_metrics(run(data, "whole") / "train" / "metrics.jsonl")
    part = read_metrics(
        run(data, "part", tiny_config(dataclasses.replace(TRAINING, stop_steps=4))) / "train" / "metrics.jsonl"
    )
    assert [line["step"] for line in part if line["split"] == "dev"] == [2, 4]
    rates = [[line["learning_rate"] for line in lines if line["split"] == "train"] for lines in (whole, part)]
    assert rates[0][:2] == rates[1]


def test_a_posterior_is_judged_by_what_is_drawn_and_what_that_costs(data: Path) -> None:
    config = tiny_config(dataclasses.replace(TRAINING, max_steps=2), name="gumbel")
    out = run(data, "out", config)
    last = read_metrics(out / "train" / "metrics.jsonl")[-1]
    model = from_pretrained(out).model
    dev = held_out_crops(read_data_dir(data / "dev"), ("a", "b"), 4 * 640, 16000, TRAINING.eval_seconds)
    codes = model.encode(dev.waveform, torch.Generator().manual_seed(0))
    nll = model.negative_log_likelihood(dev.waveform, codes.latents, dev.speaker).mean()
    expected = (float(nll.detach()) + float(codes.kl) / model.hop) / math.log(2)
    assert last["loss"] == pytest.approx(expected, rel=1e-5)
    assert last["loss"] != pytest.approx(last["bits_true"], rel=1e-5)


def test_without_codes_the_true_ones_are_worth_nothing(data: Path) -> None:
    out = run(data, "out", tiny_config(name="none"))
    last = read_metrics(out / "train" / "metrics.jsonl")[-1]
    assert last["bits_true"] == last["bits_shuffled"] == last["bits_zeroed"]


def test_a_part_of_another_model_is_taken_into_a_model_of_the_configuration(data: Path) -> None:
    old = run(data, "old")
    still = dataclasses.replace(TRAINING, max_steps=3, learning_rate=0.0)
    config = tiny_config(still, dim=6)
    with pytest.raises(VqspeechError, match=r"--init .*old: its prepare.widen.weight does not fit the model"):
        run(data, "misfit", config, init=old, init_part="decoder")
    config = dataclasses.replace(
        config, model=dataclasses.replace(tiny_config().model, encoder=EncoderConfig(channels=8, hidden=12))
    )
    new = run(data, "new", config, init=old, init_part="decoder")
    before, after = (from_pretrained(folder).model.state_dict() for folder in (old, new))
    same = {name.split(".")[0] for name in after if name in before and torch.equal(before[name], after[name])}
    assert {"prepare", "speakers", "decoder"} <= same and "encoder" not in same
    assert from_pretrained(new).config == config.model
    with pytest.raises(ConfigError, match="end before the codes are placed"):
        run(data, "late", tiny_config(start_steps=6), init=old, init_part="decoder")


def test_a_model_without_checkpoints_is_not_begun_anew_by_resuming(data: Path) -> None:
    out = run(data, "out")
    before = (out / "model.safetensors").read_bytes()
    for state in checkpoints(out / "train"):
        state.unlink()
    with pytest.raises(VqspeechError, match="has a model, but no checkpoint"):
        run(data, "out", resume=True)
    assert (out / "model.safetensors").read_bytes() == before
