"""Training a VQ-VAE: its losses, its codebook's start, its measures on dev speech."""

import dataclasses
import math
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import Config, ModelConfig
from vqspeech.data.dataset import Batch, Crops, batches, held_out_crops, speaker_table
from vqspeech.data.kaldi import DataDir, read_data_dir
from vqspeech.data.phones import PhoneTargets
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.bits import bits, choices, draw_generator
from vqspeech.evaluation.codes import code_usage
from vqspeech.hub import VOICES, WEIGHTS, from_pretrained, save_pretrained
from vqspeech.lock import locked
from vqspeech.models.bottleneck import Bottleneck
from vqspeech.models.bottleneck.codebook import CodebookBottleneck
from vqspeech.models.bottleneck.ranks import mean_over_ranks
from vqspeech.models.vqvae import VQVAE, Codes, within
from vqspeech.progress import say
from vqspeech.settings import ConfigError, to_dict
from vqspeech.synthesis import sample
from vqspeech.training.checkpoint import checkpoints
from vqspeech.training.loop import LOGS, fit, precision
from vqspeech.training.memory import keep_freed_memory
from vqspeech.training.phones import PhoneHead, PhoneLosses
from vqspeech.training.ranks import lost_ranks_told, started_ranks, starter
from vqspeech.training.temperature import choose_temperature

START_BATCHES = 40
"""Batches whose frames place the codes by k-means."""
Part = Literal["encoder", "decoder"]
PARTS: dict[Part, tuple[str, ...]] = {
    "encoder": ("encoder.", "bottleneck."),
    "decoder": ("prepare.", "speakers.", "decoder."),
}
"""What belongs to a part: codes come with the encoder that makes them, voices with the decoder that has them."""
TEMPERATURE_SECONDS = 2
"""Length of the stretches of dev speech that choose the sampling temperature: voices must have time to begin."""


class Losses(nn.Module):
    """The model as the loop sees it: a batch to scalars."""

    def __init__(self, model: VQVAE, phones: int = 0, phone_weight: float = 0.0) -> None:
        super().__init__()
        self.model, self.phone_weight = model, phone_weight
        self.phones = PhoneHead(model.config.bottleneck.dim, phones) if phones else None

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The training loss in nats per sample, its parts, and what is worth logging."""
        output = self.model(batch.waveform, batch.speaker, batch.length, batch.heard)
        spoken = within(batch.length, output.nll.shape[1])
        # A rank counts by its samples, so that the mean over ranks is that over all samples of the batch.
        count = spoken.sum().float()
        nll = output.nll[spoken].mean() * (count / mean_over_ranks(count))
        losses, metrics = dict(output.losses), dict(output.metrics)
        if self.phones is not None:
            draws = len(output.latents) // len(batch.phones)
            nats, metrics["phones_right"] = self.phones(output.latents, batch.phones.repeat(draws, 1))
            losses["phones"] = self.phone_weight * nats / self.model.hop
        loss = nll + sum(losses.values(), nll.new_zeros(()))
        bits = (nll / torch.log(nll.new_tensor(2.0))).detach()
        return {"loss": loss, "bits": bits, **losses, **metrics}


class VQVAETask:
    """Everything the loop asks for, over two data dirs and one model folder."""

    remedy = "a lower --training.learning_rate or with --training.precision 32-true"

    def __init__(self, config: Config, model: VQVAE, speakers: tuple[str, ...], train: Crops, dev: Batch, out: Path):
        self.config, self.speakers, self.train, self.dev, self.out = config, speakers, train, dev, out
        phones = 0 if train.phones is None else len(train.phones.names)
        alone = config.training.phones_alone
        self.module = PhoneLosses(model, phones) if alone else Losses(model, phones, config.training.phone_weight)
        self.samples_per_step = len(train.items) * train.crop
        self.identity = {"model": to_dict(config.model), "speaker table": list(speakers), "seed": config.training.seed}

    def batches(self, first_step: int, rank: int, ranks: int) -> Iterator[Batch]:
        """The training crops of the steps from `first_step` on."""
        return batches(self.train.share(rank, ranks), first_step, self.config.training.workers)

    def before_step(self, step: int) -> None:
        """Place the codes when their time has come."""
        model = self.module.model
        if model.bottleneck.ready or step < self.config.model.bottleneck.start_steps:
            return
        device = next(model.parameters()).device
        frames = []
        with torch.no_grad():
            # Crops of steps long past the budget are fresh ones.
            for item in range(START_BATCHES):
                heard = self.train[self.config.training.max_steps + item].heard.to(device)
                latents = model.encoder(heard)
                frames.append(latents.transpose(1, 2).reshape(-1, latents.shape[1]))
        model.bottleneck.start(torch.cat(frames))

    @property
    def worth_saving(self) -> bool:
        """Whether the model is one to use: its codes have been placed."""
        return self.module.model.bottleneck.ready

    @torch.no_grad()
    def evaluate(self, module: nn.Module) -> dict[str, Any]:
        """Bits per sample with true, shuffled and zeroed codes; use of the codes."""
        model: VQVAE = module.model
        self._follow_codes(model)
        model.eval()
        device = next(model.parameters()).device
        waveform, speaker, length, _, phones = (part.to(device) for part in self.dev)
        codes = model.encode(waveform)
        measures = _code_measures(codes, model.bottleneck)
        if phones.numel():
            nats, right = (float(found) for found in module.phones(codes.latents, phones))
            measures |= {"phones": nats, "phones_right": right}
        if self.config.training.phones_alone:
            model.train()
            return {"loss": nats, **measures}

        def per_sample(latents: Tensor) -> float:
            return float(bits(model, waveform, speaker, latents, length).sum() / length.sum())

        found = {f"bits_{choice}": per_sample(latents) for choice, latents in choices(codes.latents).items()}
        loss = found["bits_true"]
        if codes.kl is not None:
            # Training minimises the bound, which is about draws; the likeliest codes alone are no guide to it.
            loss = per_sample(model.encode(waveform, draw_generator()).latents)
            loss += self.config.model.bottleneck.kl * float(codes.kl) / math.log(2) / model.hop
        measures = {"loss": loss, **found, **measures}
        if self.config.training.audio_seconds > 0:
            measures |= self._audio(model, waveform[:1], speaker[:1])
        self._warn_of_collapse(measures)
        model.train()
        return measures

    def _follow_codes(self, averaged: VQVAE) -> None:
        """Take learnt codes as they are: where a code was before it was restarted has no part in where it is now."""
        for ours, theirs in zip(self.module.model.bottleneck.modules(), averaged.bottleneck.modules(), strict=True):
            if isinstance(ours, CodebookBottleneck) and ours.learnt:
                theirs.codebook.data.copy_(ours.codebook)

    def save(self, module: nn.Module, notes: dict[str, Any]) -> None:
        """Write the model folder."""
        notes = {**notes, "training": to_dict(self.config.training), "train_data": str(self.train.data.path)}
        save_pretrained(self.out, module.model, self.speakers, notes)

    def _audio(self, model: VQVAE, waveform: Tensor, speaker: Tensor) -> dict[str, Any]:
        """A stretch of dev speech and its copy-synthesis, for listening."""
        rate = self.config.model.sample_rate
        waveform = waveform[:, : round(self.config.training.audio_seconds * rate)]
        with torch.autocast(waveform.device.type, enabled=False):
            copy = sample(model.decoder, model.conditioning(model.encode(waveform).latents, speaker))
        return {"source": (waveform.cpu(), rate), "copy": (copy.cpu(), rate)}

    def _warn_of_collapse(self, measures: dict[str, Any]) -> None:
        model = self.module.model
        if self.config.model.bottleneck.name == "none" or not model.bottleneck.ready:
            return
        at_most = min(model.bottleneck.codes, len(measures.get("codes", ())))
        if model.bottleneck.discrete and measures["perplexity"] < at_most / 20:
            advice = "a lower --training.learning_rate"
            if self.config.model.bottleneck.places_codes:
                advice = f"a higher --model.bottleneck.restart, --model.bottleneck.start_steps or {advice}"
            say(
                f"warning: the codes are collapsing (perplexity {measures['perplexity']:.1f} of "
                f"{model.bottleneck.codes}): try {advice}"
            )
        elif measures["bits_shuffled"] - measures["bits_true"] < 0.02:
            say(
                "warning: the decoder ignores the codes (shuffled ones predict as well): try more "
                "--model.decoder.past_dropout or a lower --training.learning_rate"
            )


def _code_measures(codes: Codes, bottleneck: Bottleneck) -> dict[str, Any]:
    """Which codes are used how, and the rate: entropy of the codes, or what a continuous bottleneck spends."""
    if not bottleneck.discrete:
        return {} if codes.kl is None else {"bits_per_frame": float(codes.kl) / math.log(2)}
    distance = {name: float(value) for name, value in codes.metrics.items() if name == "distance"}
    usage = code_usage(codes.indices.cpu().numpy().ravel(), bottleneck.codes)
    measures = {"perplexity": usage.perplexity, "codes_in_use": usage.in_use, "bits_per_frame": usage.entropy}
    return measures | distance | {"codes": codes.indices.flatten().cpu()}


def train(
    config: Config,
    train: Path,
    dev: Path,
    out: Path,
    resume: bool = False,
    init: Path | None = None,
    init_part: Part | None = None,
    devices: int = 1,
    nodes: int = 1,
    accelerator: str = "auto",
) -> None:
    """Train a VQ-VAE on the data dir `train`, choosing the best checkpoint on `dev`, into the model folder `out`.

    `resume` continues the run in `out`; `init` starts from another model's weights, where new speakers get new rows,
    or from that part of them.
    Under torchrun `devices` and `nodes` are those that it started processes for.
    Raises VqspeechError for unreadable data, an `out` that holds another run or in which another process trains, and a
    loss that is no longer a number.
    """
    if not resume and (checkpoints(out / LOGS) or (out / WEIGHTS).exists()):
        raise VqspeechError(f"{out}: holds a model already: continue it with --resume, or choose another --out")
    if resume and (out / WEIGHTS).exists() and not checkpoints(out / LOGS):
        raise VqspeechError(
            f"{out}: has a model, but no checkpoint to go on from; choose another --out and begin with --init {out}"
        )
    placed_at = config.model.bottleneck.start_steps
    new_codes = init is None or init_part == "decoder"
    if new_codes and config.model.bottleneck.places_codes and config.training.max_steps <= placed_at:
        raise ConfigError(
            f"training.max_steps: {config.training.max_steps} steps end before the codes are placed, after "
            f"model.bottleneck.start_steps {placed_at}"
        )
    data, held_out = read_data_dir(train), read_data_dir(dev)
    speakers = speaker_table(data)
    model_config, settings = config.model, config.training
    torch.manual_seed(settings.seed)
    if init is not None:
        model, speakers = _from_other(init, speakers, model_config, init_part)
        if model.config != model_config:
            say(f"--init {init}: its own model settings count, not those of the configuration")
        config = dataclasses.replace(config, model=model.config)
        model_config = config.model
    else:
        model = VQVAE(model_config, len(speakers))
    crop = -(-settings.crop // model_config.hop) * model_config.hop
    devices, nodes = started_ranks(devices, nodes)
    ranks = devices * nodes
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        precision=precision(settings, accelerator),
        # With the bottleneck "none" the encoder gets no gradient.
        strategy="ddp_find_unused_parameters_true" if ranks > 1 else "auto",
        plugins=starter(),
    )
    fabric.launch()
    keep_freed_memory()
    with lost_ranks_told(fabric), locked(out / LOGS) if fabric.is_global_zero else nullcontext():
        rate = model_config.sample_rate
        phones = PhoneTargets(data, model_config.hop, rate) if settings.phone_weight else None
        crops = Crops(data, speakers, dataclasses.replace(settings, crop=crop), rate, phones)
        dev_phones = None
        if phones and (held_out.labels or settings.phones_alone):
            dev_phones = PhoneTargets(held_out, phones.hop, rate, phones.names)
        dev_crops = held_out_crops(held_out, speakers, 4 * crop, rate, settings.eval_seconds, dev_phones)
        fit(VQVAETask(config, model, speakers, crops, dev_crops, out), settings, fabric, out, resume)
        if fabric.is_global_zero:
            if not (out / WEIGHTS).exists():
                raise VqspeechError(
                    f"{out}: the time was up before the codes were placed: lower bottleneck.start_steps"
                )
            if not settings.phones_alone:
                _note_temperature(out, held_out, settings.eval_seconds)


def _note_temperature(folder: Path, dev: DataDir, seconds: float) -> None:
    """Write down in a model folder at which temperature to sample, if that is not known yet."""
    found = from_pretrained(folder)
    if "temperature" in found.notes or found.config.bottleneck.name == "none":
        return
    rate = found.config.sample_rate
    speech = held_out_crops(dev, found.speakers, TEMPERATURE_SECONDS * rate, rate, seconds)
    temperature, distances = choose_temperature(found.model, speech, rate)
    tried = ", ".join(f"{distance:.1f} dB at {temperature}" for temperature, distance in distances.items())
    say(f"sampling temperature {temperature}: copies of dev speech are {tried} from their sources")
    save_pretrained(folder, found.model, found.speakers, {**found.notes, "temperature": temperature})


def _from_other(
    folder: Path, speakers: tuple[str, ...], config: ModelConfig, part: Part | None
) -> tuple[VQVAE, tuple[str, ...]]:
    """The model in `folder` with a speaker table for `speakers` as well; a new speaker starts at the mean voice.

    With a `part` it is a new model of the settings `config`, of which that part alone is the folder's.
    """
    other = from_pretrained(folder)
    table = (*other.speakers, *(name for name in speakers if name not in other.speakers))
    weights = other.model.state_dict()
    old = weights["speakers.weight"]
    new = len(table) - len(old)
    weights["speakers.weight"] = torch.cat([old, old.mean(0).expand(new, -1)])
    if part is None:
        config = other.config
        if config.decoder.voices:
            # They are the last speakers of the table.
            weights[VOICES] = functional.pad(weights[VOICES], (0, 0, 0, new))
            decoder = dataclasses.replace(config.decoder, voices=len(weights[VOICES]))
            config = dataclasses.replace(config, decoder=decoder)
    model = VQVAE(config, len(table))
    own = model.state_dict()
    taken = {name: weight for name, weight in weights.items() if name.startswith(PARTS[part] if part else "")}
    for name, weight in taken.items():
        if name not in own or own[name].shape != weight.shape:
            raise VqspeechError(f"--init {folder}: its {name} does not fit the model of the configuration")
    model.load_state_dict({**own, **taken})
    return model, table
