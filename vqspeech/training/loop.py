"""The training loop: budget, schedule, averaged weights, evaluation, checkpoints, logs. Knows nothing of the model."""

import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from vqspeech.config import LoopConfig
from vqspeech.errors import VqspeechError
from vqspeech.progress import progress, say
from vqspeech.training.checkpoint import load_state, newest_state, save_state
from vqspeech.training.interrupt import Interrupt
from vqspeech.training.log import TrainingLog
from vqspeech.training.muon import Muon
from vqspeech.training.ranks import leave_together

LOGS = "train"
"""The folder, within a model's, of what resuming needs and of the logs."""


class Task(Protocol):
    """What is trained: a module whose forward gives the losses, with its data and its measures."""

    module: nn.Module
    """forward(batch) -> scalars by name, with the one to minimise under "loss"."""
    samples_per_step: int
    """Audio samples in the batches of all ranks, for the speed in the log."""
    identity: dict[str, Any]
    """What a resumed run must have in common with the one that was stopped, ready for JSON."""
    worth_saving: bool
    """Whether the module has come far enough to be the best checkpoint."""
    remedy: str
    """What to resume with when the loss is no longer a number."""

    def batches(self, first_step: int, rank: int, ranks: int) -> Iterator[Any]:
        """The batches of the steps from `first_step` on."""
        ...

    def before_step(self, step: int) -> None:
        """Whatever must happen before this step; a function of the step and the seed."""
        ...

    def evaluate(self, module: nn.Module) -> dict[str, float]:
        """Measures on dev data; the best checkpoint is the one with the lowest "loss"."""
        ...

    def save(self, module: nn.Module, notes: dict[str, Any]) -> None:
        """Write the model folder."""
        ...


class Budget:
    """Steps and minutes, and how much of them is spent; all ranks go by the clock of the first."""

    def __init__(self, settings: LoopConfig, fabric: Fabric, minutes: float) -> None:
        self.settings, self.fabric = settings, fabric
        self.started = time.monotonic() - 60 * minutes

    @property
    def minutes(self) -> float:
        """Minutes of training, those before a resumption included."""
        return (time.monotonic() - self.started) / 60

    def spent(self, steps: int) -> float:
        """The share that is spent after so many steps; 1 ends the training."""
        share = steps / self.settings.max_steps
        if self.settings.max_minutes > 0:
            share = max(share, self.minutes / self.settings.max_minutes)
            share = self.fabric.broadcast(share) if self.fabric.world_size > 1 else share
        return min(1.0, share)

    def ended(self, steps: int, share: float) -> bool:
        """Whether training ends after so many steps, with this share of the budget spent."""
        return share == 1 or steps >= self.settings.stop_steps > 0

    def steps_left(self, first: int) -> int | None:
        """Steps to come, where that can be told beforehand."""
        if self.settings.max_minutes > 0:
            return None
        return (self.settings.stop_steps or self.settings.max_steps) - first


def fit(task: Task, settings: LoopConfig, fabric: Fabric, out: Path, resume: bool) -> None:
    """Train until the budget of steps or minutes is spent.

    All randomness of step s is seeded by the seed and s, so a resumed run continues as if never stopped (with a budget
    in steps; one in minutes also continues its schedule, but wall-clock time is never the same twice), on any number
    of ranks. A signal to one of them ends all after the step under way with a checkpoint; so does an error of the
    first rank's data, which is raised. Raises VqspeechError when the loss is no longer a number.
    """
    optimizer = _optimizer(task.module, settings)
    identity = {**task.identity, "optimizer": settings.optimizer}
    averaged = AveragedModel(task.module, multi_avg_fn=_moving_average(settings.weight_ema))
    modules = {"module": task.module, "averaged": averaged}
    counters: dict[str, Any] = {"step": 0, "minutes": 0.0, "best": math.inf, "identity": {}, "due": False}
    state = newest_state(out / LOGS) if resume and fabric.is_global_zero else None
    if fabric.world_size > 1:
        state = fabric.broadcast(state)
    if state is not None:
        counters |= load_state(state, modules, optimizer)
        for name, value in identity.items():
            if counters["identity"].get(name) != value:
                raise VqspeechError(f"{out}: cannot resume: the run there has another {name}; choose another --out")
    first, best = counters["step"], counters["best"]
    module, optimizer = fabric.setup(task.module, optimizer)
    averaged.to(fabric.device)
    budget = Budget(settings, fabric, counters["minutes"])
    share = budget.spent(first)
    finished = budget.ended(first, share)

    due = bool(counters.get("due"))

    def checkpoint(done: int, due: bool = False) -> None:
        counters = {"step": done, "minutes": budget.minutes, "best": best, "identity": identity, "due": due}
        save_state(out / LOGS, modules, optimizer, counters, settings.keep)

    def evaluate(done: int) -> None:
        nonlocal best
        with fabric.autocast():
            measures = task.evaluate(averaged.module)
        log.write("dev", done, budget.minutes, measures)
        if task.worth_saving and measures["loss"] <= best:
            best = measures["loss"]
            dev = {name: value for name, value in measures.items() if isinstance(value, int | float)}
            task.save(averaged.module, {"step": done, "minutes": round(budget.minutes, 2), "dev": dev})
        checkpoint(done)

    with TrainingLog(out / LOGS, first, due, fabric.is_global_zero) as log, Interrupt() as interrupt:
        if due and fabric.is_global_zero:
            evaluate(first)
        batches = task.batches(first, fabric.global_rank, fabric.world_size)
        steps = itertools.takewhile(lambda _: not finished, itertools.count(first))
        if fabric.is_global_zero:
            steps = progress(steps, "train", budget.steps_left(first), "step")
        for step in steps:
            try:
                batch = next(batches)
            except Exception:
                # Of this step nothing has happened yet, so what was learnt so far need not be lost with the data.
                if step > first and fabric.is_global_zero:
                    checkpoint(step)
                raise
            torch.manual_seed(_seed(settings.seed, step))
            task.before_step(step)
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _rate(step, share, settings)
            losses: dict[str, Tensor] = module(fabric.to_device(batch))
            optimizer.zero_grad()
            fabric.backward(losses["loss"])
            norm = fabric.clip_gradients(module, optimizer, max_norm=settings.gradient_clip, error_if_nonfinite=False)
            with fabric.autocast():
                optimizer.step()
            averaged.update_parameters(task.module)

            done, share = step + 1, budget.spent(step + 1)
            finished = budget.ended(done, share)
            evaluating = done % settings.eval_every == 0 or finished
            stop = _of_any_rank(interrupt.signal, fabric)
            if done % settings.log_every == 0 or evaluating or stop is not None:
                values = _means(losses, fabric)
                values |= {"gradient_norm": float(norm), "learning_rate": optimizer.param_groups[0]["lr"]}
                log.write_steps(done, budget.minutes, values, task.samples_per_step)
                if not math.isfinite(values["loss"] + values["gradient_norm"]):
                    raise VqspeechError(
                        f"{out}: at step {done} the loss is {values['loss']:g} with a gradient of norm "
                        f"{values['gradient_norm']:g}: --resume with {task.remedy}"
                    )
            if evaluating and fabric.is_global_zero:
                # A scheduler may not wait for the evaluation: what was learnt is safe before.
                checkpoint(done, due=True)
                evaluate(done)
            if evaluating:
                fabric.barrier()
                log.restart_clock(done)
            elif stop is not None and fabric.is_global_zero:
                checkpoint(done)
            if stop is not None and not finished:
                if fabric.is_global_zero:
                    say(f"stopped after step {done}: the same command with --resume, queued again, goes on from there")
                leave_together(fabric)
                interrupt.leave(stop)


def precision(settings: LoopConfig, accelerator: str) -> Literal["32-true", "bf16-mixed"]:
    """In what numbers Fabric is to compute: as the settings say, or as suits the device."""
    if settings.precision != "auto":
        return settings.precision
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    # Without native bf16 products the processor emulates them, slower than float32.
    return "bf16-mixed" if torch.cpu._is_avx512_bf16_supported() else "32-true"


def _optimizer(module: nn.Module, settings: LoopConfig) -> torch.optim.Optimizer:
    rate, betas, decay = settings.learning_rate, (0.9, 0.99), settings.weight_decay
    if settings.optimizer == "muon":
        return Muon(module, rate, betas, decay)
    return torch.optim.AdamW(module.parameters(), rate, betas, weight_decay=decay, fused=True)


def _rate(step: int, share: float, settings: LoopConfig) -> float:
    """The learning rate as a share of its peak: a linear rise, then half a cosine over the budget."""
    rise = min(1.0, (step + 1) / max(1, settings.warmup_steps))
    fall = settings.final_rate + (1 - settings.final_rate) * (1 + math.cos(math.pi * share)) / 2
    return rise * fall


def _seed(seed: int, step: int) -> int:
    return (seed * 1_000_003 + step) * 1_009


def _of_any_rank(number: int | None, fabric: Fabric) -> int | None:
    """The largest number that any rank has, on all of them."""
    if fabric.world_size == 1:
        return number
    return int(fabric.all_reduce(torch.tensor(number or 0), reduce_op="max")) or None


def _means(scalars: dict[str, Tensor], fabric: Fabric) -> dict[str, float]:
    """The means over all ranks."""
    if not scalars:
        return {}
    values = torch.stack([value.detach().float() for value in scalars.values()])
    if fabric.world_size > 1:
        values = fabric.all_reduce(values, reduce_op="mean")
    return dict(zip(scalars, values.tolist(), strict=True))


def _moving_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor | int], None]:
    """Weight averaging that follows quickly at first, so that early evaluations mean something."""

    @torch.no_grad()
    def update(averages: list[Tensor], weights: list[Tensor], count: Tensor | int) -> None:
        rate = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averages, weights, rate)

    return update
