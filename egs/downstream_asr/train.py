#!/usr/bin/env python3
"""Train a recogniser by CTC on an export of units, or on log-mel bands of the audio that the export names."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from ctc import BLANK, frames_needed
from exported import Example, log_mel_examples, padded, read_export, unit_examples
from labels import Characters, Pieces
from recogniser import Recogniser, Shape, fitting_stride
from torch.nn import functional

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.progress import progress, say
from vqspeech.training.muon import Muon

WARM_UP = 0.1
"""Share of the steps in which the learning rate rises; it falls to 0 over the others."""
REPORTS = 20


def train(options: argparse.Namespace) -> None:
    """Train and write the recogniser whole, or not at all; the same seed gives the same one."""
    torch.manual_seed(options.seed)
    exported = read_export(options.export)
    examples = (log_mel_examples if options.log_mel else unit_examples)(exported)
    texts = [example.text for example in examples]
    labels = Pieces.of(texts, options.bpe) if options.bpe else Characters.of(texts)
    targets = {example.id: labels.encode(example.text) for example in examples}
    repeat, stride = fitting_stride(
        {example.id: (len(example.inputs), frames_needed(targets[example.id])) for example in examples}
    )
    codes = None if options.log_mel else exported.info["codes"]
    recogniser = Recogniser(Shape(codes, len(labels), repeat, stride, options.width, options.layers))
    optimizer = Muon(recogniser, options.learning_rate, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate(step, options.steps))
    rows = batches(examples, options.batch_size)
    losses, report = [], max(1, options.steps // REPORTS)
    with atomic_folder(options.out) as folder, (folder / "loss.jsonl").open("w", encoding="utf-8") as log:
        for step in progress(range(1, options.steps + 1), "train", unit="step"):
            losses.append(update(recogniser, optimizer, next(rows), targets))
            schedule.step()
            if step % report == 0 or step == options.steps:
                loss = sum(losses) / len(losses)
                say(f"step {step}: loss {loss:.3f} a label")
                log.write(json.dumps({"step": step, "loss": loss}) + "\n")
                losses = []
        recogniser.save(folder)
        labels.save(folder)


def update(
    recogniser: Recogniser, optimizer: torch.optim.Optimizer, batch: Sequence[Example], targets: dict[str, list[int]]
) -> float:
    """One step of the optimiser; returns the loss, in nats a label."""
    wanted = [torch.tensor(targets[example.id]) for example in batch]
    log_probs, lengths = recogniser(*padded(batch))
    loss = functional.ctc_loss(
        log_probs.transpose(0, 1), torch.cat(wanted), lengths, torch.tensor([len(row) for row in wanted]), BLANK
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(recogniser.parameters(), 1.0)
    optimizer.step()
    return loss.item()


def batches(examples: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """Utterances of like length together, in ever other batches."""
    lengths = torch.tensor([len(example.inputs) for example in examples])
    while True:
        order = (lengths * (0.8 + 0.4 * torch.rand(len(examples)))).argsort()
        groups = order.split(size)
        for number in torch.randperm(len(groups)).tolist():
            yield [examples[index] for index in groups[number].tolist()]


def learning_rate(step: int, steps: int) -> float:
    """Share of the highest rate, after `step` of `steps`."""
    rising = max(1.0, WARM_UP * steps)
    return min((step + 1) / rising, (steps - step) / max(1.0, steps - rising))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("export", type=Path, help="folder of vqspeech-export --format jsonl --data DATADIR")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--log-mel", action="store_true", help="take 40 log-mel bands in place of the units")
    parser.add_argument("--bpe", type=int, default=0, help="pieces of the texts to recognise (default: 0, characters)")
    parser.add_argument("--steps", type=int, default=1000, help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=8, help="utterances (default: %(default)s)")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest (default: %(default)s)")
    parser.add_argument("--width", type=int, default=96, help="(default: %(default)s)")
    parser.add_argument("--layers", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    try:
        train(parser.parse_args())
    except VqspeechError as error:
        sys.exit(f"train: error: {error}")


if __name__ == "__main__":
    main()
