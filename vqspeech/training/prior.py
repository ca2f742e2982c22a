"""Training a prior: crops of unit sequences, bits per code on held-out ones."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from vqspeech.config import PriorTraining
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.codes import merge_runs
from vqspeech.evaluation.prior import PriorBits, bits_per_code
from vqspeech.lock import locked
from vqspeech.models.prior import Autoregressive, Histogram
from vqspeech.settings import to_dict
from vqspeech.training.checkpoint import checkpoints
from vqspeech.training.loop import LOGS, fit, precision
from vqspeech.training.ranks import starter
from vqspeech.units.prior import WEIGHTS, Priors, load_priors, save_priors
from vqspeech.units.store import Units, read_units


class CodeBatch(NamedTuple):
    """Equally long stretches of codes; a shorter one is padded with zeros on the right."""

    codes: Tensor
    """`[B, N]` int64."""
    before: Tensor
    """`[B]`, the code before the stretch; K at the beginning of an utterance."""
    speaker: Tensor
    """`[B]`, rows of the speaker table."""
    length: Tensor
    """`[B]`"""


@dataclass(frozen=True)
class Sequences:
    """Unit sequences with their speakers."""

    codes: list[np.ndarray]
    speakers: list[int]
    """Rows of the speaker table."""


class _Losses(nn.Module):
    def __init__(self, prior: Autoregressive) -> None:
        super().__init__()
        self.prior = prior

    def forward(self, batch: CodeBatch) -> dict[str, Tensor]:
        """Nats per code."""
        log_prob = self.prior.log_prob(batch.codes, batch.speaker, batch.before)
        known = torch.arange(log_prob.shape[1], device=log_prob.device) < batch.length.unsqueeze(1)
        loss = -log_prob[known].mean()
        return {"loss": loss, "bits_per_code": loss.detach() / math.log(2)}


class PriorTask:
    """Everything the loop asks for, over the sequences of two units dirs."""

    worth_saving = True
    remedy = "a lower --training.learning_rate"

    def __init__(self, config: PriorTraining, priors: Priors, train: Sequences, dev: Sequences, out: Path) -> None:
        self.config, self.priors, self.train, self.dev, self.out = config, priors, train, dev, out
        self.module = _Losses(priors.autoregressive)
        self.samples_per_step = config.training.batch_size * config.training.crop
        self.identity = {
            "model": to_dict(config.model),
            "speaker table": list(priors.speakers),
            "seed": config.training.seed,
            "units": {name: priors.info[name] for name in ("model_sha256", "codes", "merged")},
        }

    def batches(self, first_step: int, rank: int, ranks: int) -> Iterator[CodeBatch]:
        """The training crops of the steps from `first_step` on."""
        ends = np.cumsum([len(codes) for codes in self.train.codes])
        settings = self.config.training
        for step in range(first_step, settings.max_steps):
            items = range(rank, settings.batch_size, ranks)
            yield _stack([self._crop(np.random.default_rng([settings.seed, step, item]), ends) for item in items])

    def before_step(self, step: int) -> None:
        """Nothing happens."""

    def evaluate(self, module: nn.Module) -> dict[str, Any]:
        """Bits per code of the held-out sequences."""
        module.prior.eval()
        bits = bits_per_code(module.prior, self.dev.codes, self.dev.speakers)
        module.prior.train()
        return {"loss": bits, "bits_per_code": bits}

    def save(self, module: nn.Module, notes: dict[str, Any]) -> None:
        """Write the prior folder."""
        info = {**self.priors.info, "notes": {**notes, "training": to_dict(self.config.training)}}
        save_priors(self.out, Priors(self.priors.histogram, module.prior, self.priors.speakers, info))

    def _crop(self, rng: np.random.Generator, ends: np.ndarray) -> CodeBatch:
        index = int(np.searchsorted(ends, rng.random() * ends[-1], side="right"))
        codes, crop = self.train.codes[index], self.config.training.crop
        # One in eight begins where its utterance does: beginnings have to be learnt too.
        start = 0 if rng.random() < 1 / 8 else int(rng.integers(max(1, len(codes) - crop + 1)))
        chosen = codes[start : start + crop]
        before = codes[start - 1] if start else self.priors.autoregressive.codes
        padded = np.pad(chosen, (0, crop - len(chosen)))
        numbers = (before, self.train.speakers[index], len(chosen))
        return CodeBatch(torch.from_numpy(padded), *(torch.tensor(int(number)) for number in numbers))


def train_prior(
    config: PriorTraining, train: Path, dev: Path, out: Path, merge: bool = False, resume: bool = False
) -> PriorBits:
    """Train priors on the units dir `train` into the folder `out`; returns their bits per code on `dev`.

    With `merge` runs of one code count as one. Raises VqspeechError for units of different models and for an `out`
    that holds a prior already, unless `resume`, or in which another process trains.
    """
    if not resume and (checkpoints(out / LOGS) or (out / WEIGHTS).exists()):
        raise VqspeechError(f"{out}: holds a prior already: continue it with --resume, or choose another --out")
    if resume and (out / WEIGHTS).exists() and not checkpoints(out / LOGS):
        raise VqspeechError(f"{out}: has a prior, but no checkpoint to go on from; choose another --out")
    learnt, held_out = read_units(train), read_units(dev)
    for folder, units in ((train, learnt), (dev, held_out)):
        if not units.units:
            raise VqspeechError(f"{folder}: no utterances to {'train' if folder == train else 'measure'} on")
    for key in ("model_sha256", "codes"):
        if learnt.info.get(key) is None:
            raise VqspeechError(f"{train}: units.json does not tell {key}: a prior is bound to one model's units")
        if learnt.info[key] != held_out.info.get(key):
            raise VqspeechError(f"{dev}: units of another model than those of {train}")
    speakers = tuple(sorted(set(learnt.speakers.values())))
    if config.model.speaker and not learnt.units.keys() <= learnt.speakers.keys():
        raise VqspeechError(f"{train}: its utt2spk does not say who spoke each utterance: give --model.speaker false")
    sequences = [_sequences(units, speakers, merge) for units in (learnt, held_out)]
    codes = learnt.info["codes"]
    counts = np.bincount(np.concatenate(sequences[0].codes), minlength=codes)
    torch.manual_seed(config.training.seed)
    info = {key: learnt.info.get(key) for key in ("codes", "hop", "sample_rate", "model_sha256")} | {"merged": merge}
    priors = Priors(
        Histogram(codes, torch.from_numpy(counts)), Autoregressive(codes, len(speakers), config.model), speakers, info
    )
    numbers = precision(config.training, "auto")
    fabric = Fabric(accelerator="auto", devices=1, precision=numbers, plugins=starter())
    fabric.launch()
    with locked(out / LOGS):
        fit(PriorTask(config, priors, *sequences, out), config.training, fabric, out, resume)
        best = load_priors(out)
        bits = PriorBits.of(best, sequences[0].codes, sequences[1].codes, sequences[1].speakers)
        save_priors(out, dataclasses.replace(best, info={**best.info, "bits_per_code": dataclasses.asdict(bits)}))
    return bits


def _sequences(units: Units, speakers: Sequence[str], merge: bool) -> Sequences:
    """Unit sequences of a units dir; an unknown speaker is the row -1."""
    rows = {name: row for row, name in enumerate(speakers)}
    codes = [merge_runs(entry) if merge else entry for entry in units.units.values()]
    return Sequences(codes, [rows.get(units.speakers.get(id, ""), -1) for id in units.units])


def _stack(crops: list[CodeBatch]) -> CodeBatch:
    return CodeBatch(*(torch.stack(parts) for parts in zip(*crops, strict=True)))
