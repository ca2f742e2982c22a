"""A new target voice for a trained model: its speaker embedding is fitted, and gate biases of its own if wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.files import check_id, check_writable
from vqspeech.hub import CONFIG, add_speaker
from vqspeech.models.vqvae import VQVAE
from vqspeech.models.wavenet import gate_biases
from vqspeech.progress import progress, say

LEAST_SECONDS = 30.0
"""Of speech in all."""
LEAST_CLIP_SECONDS = 0.5
LEAST_DBFS = -60.0
"""The speech of a clip is at least so loud."""
CROP = 3840
BATCH = 2
LEARNING_RATE = 0.1
BIAS_LEARNING_RATE = 0.01
HELD_OUT = 0.1
"""Share of the speech, from its end, that tells what was gained."""
HELD_OUT_CROPS = 16
RESERVED = ("all", "source")
"""Words that commands take in place of a voice."""


@dataclass(frozen=True)
class Speech:
    """All clips, one after another."""

    waveform: Tensor
    """`[N * hop]`."""
    latents: Tensor
    """`[D, N]`, what the decoder gets of their codes."""

    def crops(self, first: Sequence[int], frames: int) -> tuple[Tensor, Tensor]:
        """Stretches from these frames on: waveforms `[B, frames * hop]` and latents `[B, D, frames]`."""
        hop = len(self.waveform) // self.latents.shape[1]
        waveforms = [self.waveform[n * hop : (n + frames) * hop] for n in first]
        return torch.stack(waveforms), torch.stack([self.latents[:, n : n + frames] for n in first])


@dataclass(frozen=True)
class Voice:
    """What is fitted of a voice."""

    embedding: Tensor
    """`[S]`"""
    biases: Tensor | None
    """`[L * 2R]` of the decoder's gates."""
    bits: tuple[float, float]
    """Bits per sample on the end of the speech, of the mean voice and of this one."""


def enroll(
    model: Path, name: str, clips: Sequence[Path], out: Path, steps: int, seed: int = 0, with_biases: bool = False
) -> None:
    """Write the model folder `out`: `model` with a voice more, fitted to at least 30 s of speech.

    All else, the other voices among it, stays bit for bit as it was. The embedding starts at the mean voice and
    minimises the negative log-likelihood of the clips given their codes: speaker adaptation of the embedding alone
    (Arik et al. 2018, "Neural voice cloning with a few samples", section 3.1). With `with_biases` as many steps more
    fit the embedding and a bias for every gate of the decoder, which start at 0.
    Raises VqspeechError for a name that is taken or no name, for clips that are too short, silent or unreadable, and
    when `out` exists.
    """
    if check_id(name) in RESERVED or "," in name:
        raise VqspeechError(f"no voice can be called {name!r}")
    if steps < 1:
        raise UsageError(f"--steps {steps}: one or more are needed")
    codec = Codec.load(model)
    if name in codec.speakers:
        raise VqspeechError(f"model {model} has a voice {name!r} already; take another name")
    if out.exists():
        raise VqspeechError(f"{out}: exists already; choose another --out")
    check_writable(out / CONFIG)
    if codec.config.bottleneck.name == "none":
        raise VqspeechError(f"model {model} was trained without codes, to compare with: name another model")
    read = [_read_clip(path, codec.sample_rate) for path in clips]
    seconds = sum(clip.seconds for clip in read)
    if seconds < LEAST_SECONDS:
        raise VqspeechError(
            f"{name}: {seconds:.1f} s of speech in {len(clips)} clips are too little; {LEAST_SECONDS:.0f} s are needed"
        )
    say(f"{name}: {seconds:.1f} s of speech in {len(clips)} clips")
    voice = fit(codec.model, _encode(codec, [clip.waveform for clip in read]), steps, seed, with_biases)
    mean, bits = voice.bits
    say(f"on the last tenth of it {bits:.3f} bits per sample in the new voice, {mean:.3f} in the mean voice")
    if bits >= mean:
        say("warning: the mean voice suits it as well: give more speech, or clips that are alike and without noise")
    note = {"seconds": round(seconds, 1), "steps": steps, "gate_biases": with_biases, "bits": bits}
    add_speaker(model, out, name, voice.embedding, voice.biases, note)


def fit(model: VQVAE, speech: Speech, steps: int, seed: int, with_biases: bool = False) -> Voice:
    """The voice that fits the speech.

    Changes the model's tables of speakers and voices and leaves its other weights.
    """
    frames = -(-CROP // model.hop)
    total = speech.latents.shape[1]
    last = int(total * (1 - HELD_OUT))
    spread = torch.linspace(last, total - frames, HELD_OUT_CROPS).long().tolist()
    held_out = speech.crops(spread, frames)
    model.requires_grad_(False)
    mean = model.speakers.weight.mean(0, keepdim=True)
    model.speakers = nn.Embedding.from_pretrained(mean, freeze=False)
    model.decoder.voices = None
    generator = torch.Generator().manual_seed(seed)

    def nats(crops: tuple[Tensor, Tensor]) -> Tensor:
        waveform, latents = crops
        # bfloat16 where the processor multiplies it, as in training.
        with torch.autocast("cpu", enabled=torch.cpu._is_avx512_bf16_supported()):
            return model.negative_log_likelihood(waveform, latents, torch.zeros(len(waveform), dtype=torch.long)).mean()

    def held_out_bits() -> float:
        with torch.no_grad():
            return float(nats(held_out) / torch.log(torch.tensor(2.0)))

    def descend(rates: dict[nn.Module, float], what: str) -> None:
        groups = [{"params": table.parameters(), "lr": rate} for table, rate in rates.items()]
        optimizer = torch.optim.Adam(groups)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
        for _ in progress(range(steps), what, steps, "step"):
            first = torch.randint(last - frames, (BATCH,), generator=generator).tolist()
            optimizer.zero_grad()
            nats(speech.crops(first, frames)).backward()
            optimizer.step()
            schedule.step()

    before = held_out_bits()
    descend({model.speakers: LEARNING_RATE}, "enroll")
    biases = None
    if with_biases:
        model.decoder.voices = gate_biases(torch.zeros(1, model.decoder.conditioning.out_features))
        descend({model.speakers: LEARNING_RATE / 10, model.decoder.voices: BIAS_LEARNING_RATE}, "gate biases")
        biases = model.decoder.voices.weight.detach()[0]
    return Voice(model.speakers.weight.detach()[0], biases, (before, held_out_bits()))


@dataclass(frozen=True)
class _Clip:
    waveform: np.ndarray
    """`[T]`, trimmed and brought to the level of training as training audio is."""
    seconds: float
    """Of speech in it, without its pauses."""


def _read_clip(path: Path, rate: int) -> _Clip:
    waveform = audio.read(path, rate)
    level = audio.measure_level([waveform], rate)
    if level.speech < 10 ** (LEAST_DBFS / 20):
        raise VqspeechError(f"{path}: silent; leave it out")
    if level.seconds < LEAST_CLIP_SECONDS:
        raise VqspeechError(f"{path}: {level.seconds:.2f} s of speech are too short a clip; leave it out")
    start, end = audio.speech_span(waveform, rate)
    waveform = waveform[start:end]
    return _Clip(waveform * np.float32(audio.level_gain(waveform, rate)), level.seconds)


def _encode(codec: Codec, waveforms: Sequence[np.ndarray]) -> Speech:
    padded = [np.pad(waveform, (0, -len(waveform) % codec.hop)) for waveform in waveforms]
    # In windows, so that an hour takes no more memory than a minute.
    units = np.concatenate([units for waveform in padded for units, _ in codec.coded([waveform], gain=1.0)])
    codes = torch.from_numpy(units)
    latents = codec.model.bottleneck.lookup(codes.unsqueeze(0))[0] if codec.model.bottleneck.discrete else codes.t()
    return Speech(torch.from_numpy(np.concatenate(padded)), latents.detach())
