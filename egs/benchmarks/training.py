"""The training step: ours against the conventional form of the same function, at equal loss."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from contest import Result
from conventional import ConventionalWaveNet

from vqspeech.config import Config
from vqspeech.data.dataset import Crops, speaker_table
from vqspeech.data.kaldi import read_data_dir
from vqspeech.models.vqvae import VQVAE
from vqspeech.training.memory import keep_freed_memory
from vqspeech.training.vqvae import Losses


def results(config: Config, data: Path, steps: int, batch_size: int) -> list[Result]:
    """Train the configured model from one start in both forms, step by step in turn, on the same crops."""
    keep_freed_memory()
    train = read_data_dir(data)
    speakers = speaker_table(train)
    settings = replace(config.training, batch_size=batch_size, seed=0, max_steps=steps)
    crops = Crops(train, speakers, settings, config.model.sample_rate)
    torch.manual_seed(0)
    ours = VQVAE(config.model, len(speakers))
    frames = torch.cat([ours.encoder(crops[step].waveform).detach() for step in range(8)])
    ours.bottleneck.start(frames.transpose(1, 2).reshape(-1, frames.shape[1]))
    theirs = copy.deepcopy(ours)
    theirs.decoder = _Decoder(theirs.decoder)
    forms = {"conventional": stepper(theirs, config), "ours": stepper(ours, config)}
    losses: dict[str, list[float]] = {name: [] for name in forms}
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for step in range(steps):
        batch = crops[step]
        for name, run in forms.items():
            torch.manual_seed(step)
            start = time.perf_counter()
            losses[name].append(run(batch))
            if step > 1:
                seconds[name].append(time.perf_counter() - start)
    samples = batch_size * config.training.crop
    apart = max(abs(a - b) for a, b in zip(*losses.values(), strict=True))
    return [
        Result(
            f"training step in bfloat16, batch {batch_size} x {config.training.crop}", name, "samples/s",
            samples / median(seconds[name]), samples / max(seconds[name]), samples / min(seconds[name]),
            f"loss {losses[name][0]:.4f} to {losses[name][-1]:.4f}; at most {apart:.4f} apart at any of {steps} steps",
        )
        for name in forms
    ]  # fmt: skip


class _Decoder(ConventionalWaveNet):
    """Takes the place of ours inside the model, which hides no samples here."""

    def forward(self, waveform: torch.Tensor, conditioning: torch.Tensor, hidden: object = None) -> torch.Tensor:
        """As `WaveNet.forward`."""
        return super().forward(waveform, conditioning)


def stepper(model: VQVAE, config: Config) -> Callable[..., float]:
    """One step of training, as `vqspeech.training.loop` does it without its logs."""
    losses = Losses(model.train())
    settings = config.training
    optimizer = torch.optim.AdamW(losses.parameters(), lr=settings.learning_rate / 10, betas=(0.9, 0.99), fused=True)

    def run(batch: object) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            loss = losses(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(losses.parameters(), settings.gradient_clip)
        optimizer.step()
        return loss.item()

    return run
