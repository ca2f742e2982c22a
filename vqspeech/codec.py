"""A trained model ready for use: audio to units, units to speech, one voice to another."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vqspeech import audio
from vqspeech.config import ModelConfig, SamplerName
from vqspeech.conversion.file import convert_file
from vqspeech.conversion.signal import Voice, convert_in_parts, convert_in_stream
from vqspeech.errors import VqspeechError, did_you_mean
from vqspeech.hub import from_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.parallel import in_order, on_one_core
from vqspeech.synthesis import sample
from vqspeech.windows import Window, windows

ENCODE_SECONDS = 2.0
"""Longer audio is encoded in stretches of this length, with so much context that the codes stay the same: small enough
for the processor's cache, large enough that the context costs little."""
LIVE_SECONDS = 0.064
"""A live conversion waits for so much and speaks it at a time: enough that a call costs little beside its work."""
GPU_STREAMS = 64
CORE_STREAMS = 8
"""Utterances decoded at once, on a GPU and by each core: more gain nothing, and all last as long as the longest."""

Heard = Callable[[float], None]


class Codec:
    """A model with the audio handling around it; made by `vqspeech.load`."""

    def __init__(
        self,
        model: VQVAE,
        config: ModelConfig,
        speakers: tuple[str, ...],
        name: str,
        sampler: SamplerName = "auto",
        temperature: float = 1.0,
    ) -> None:
        self.model, self.config, self.speakers, self.name = model.eval(), config, speakers, name
        self.sampler, self.temperature = sampler, temperature
        self.sample_rate = config.sample_rate
        self.hop = config.hop
        self.codes = model.bottleneck.codes

    @classmethod
    def load(cls, folder: Path, device: str = "cpu", sampler: SamplerName = "auto") -> Self:
        """Read a model folder; raises VqspeechError when it is missing, damaged or of another format version."""
        loaded = from_pretrained(folder, device)
        temperature = loaded.notes.get("temperature", 1.0)
        return cls(loaded.model, loaded.config, loaded.speakers, str(folder), sampler, temperature)

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        return next(self.model.parameters()).device

    def speaker_index(self, speaker: str) -> int:
        """The speaker's row in the table; raises VqspeechError with near matches for an unknown one."""
        if speaker not in self.speakers:
            near = did_you_mean(speaker, self.speakers) or f"; it knows {', '.join(self.speakers[:8])}" + (
                " and others" if len(self.speakers) > 8 else ""
            )
            raise VqspeechError(f"model {self.name} knows no speaker {speaker!r}{near}")
        return self.speakers.index(speaker)

    def require_codes(self, discrete: bool = True) -> None:
        """Raise VqspeechError for a model trained without codes, and unless not `discrete` for a continuous one."""
        name = self.config.bottleneck.name
        if name == "none":
            raise VqspeechError(f"model {self.name} was trained without codes, to compare with: name another model")
        if discrete and not self.model.bottleneck.discrete:
            raise VqspeechError(
                f"model {self.name} has no discrete units: its bottleneck, {name}, is continuous; "
                "vqspeech-convert works with it"
            )

    def encode(self, waveform: np.ndarray, level: bool = True) -> np.ndarray:
        """Samples `[T]` at the model's rate -> units `[ceil(T / hop)]`, int64 in 0..K-1.

        A continuous bottleneck gives frames `[ceil(T / hop), D]` in float32 instead, which `decode` takes as well.

        The level is brought to that of the training audio first, unless `level` is False.
        """
        waveform = _checked(waveform)
        gain = audio.level_gain(waveform, self.sample_rate) if level else 1.0
        return np.concatenate(list(self.encode_blocks([waveform], gain)))

    def vectors(self, units: np.ndarray) -> np.ndarray:
        """What the units `[N]` stand for in the decoder's eyes: the codes' vectors `[N, D]`, float32."""
        indices = torch.from_numpy(self._checked_units(units)).to(self.device).unsqueeze(0)
        with torch.no_grad():
            return self.model.bottleneck.lookup(indices)[0].t().cpu().numpy()

    def encode_blocks(self, blocks: Iterable[np.ndarray], gain: float = 1.0) -> Iterator[np.ndarray]:
        """Blocks of samples `[T]`, to be multiplied by `gain`, -> blocks of units, those of the whole signal.

        Holds some seconds of the signal at a time, whatever its length.
        """
        return (units for units, _ in self.coded(blocks, gain))

    def decode(
        self, units: Sequence[int] | np.ndarray, speaker: str, temperature: float | None = None, seed: int = 0
    ) -> np.ndarray:
        """Units `[N]` -> samples `[N * hop]` at the model's rate in this speaker's voice.

        Without a temperature the model's own is taken, which was chosen on dev speech when it had been trained.
        """
        return self.decode_batch([units], [speaker], temperature, seed)[0]

    def decode_batch(
        self,
        units: Sequence[Sequence[int] | np.ndarray],
        speakers: Sequence[str],
        temperature: float | None = None,
        seed: int = 0,
        heard: Heard | None = None,
    ) -> list[np.ndarray]:
        """Several utterances at once, which costs less than one after the other.

        Each is what `decode` gives for it alone, up to rounding.
        `heard(share)` is called now and then with the share of the work that is done.
        """
        rows = [self.speaker_index(name) for name in speakers]
        temperature = self._checked_temperature(temperature)
        _check_seed(seed)
        arrays = [self._checked_units(entry) for entry in units]
        waveforms: list[np.ndarray] = [np.zeros(0, np.float32)] * len(arrays)
        # Neighbours in length share a batch, so that little is decoded past an utterance's end.
        order = sorted(range(len(arrays)), key=lambda i: len(arrays[i]))
        work, done = sum(map(len, arrays)), 0
        for start in range(0, len(order), self.streams):
            chosen = order[start : start + self.streams]
            frames = [self.conditioning(arrays[i], rows[i]) for i in chosen]
            size = sum(len(arrays[i]) for i in chosen)

            def tell(share: float, size: int = size, done: int = done) -> None:
                (heard or _silent)((done + size * share) / work)

            for i, waveform in zip(chosen, self.speak(frames, temperature, [seed] * len(chosen), tell), strict=True):
                waveforms[i] = waveform
            done += size
        return waveforms

    def convert(
        self,
        waveform: np.ndarray,
        speaker: str,
        temperature: float | None = None,
        seed: int = 0,
        cut: bool = True,
    ) -> np.ndarray:
        """Samples `[T]` at the model's rate -> the same words, `[T]`, in this speaker's voice, at training level.

        Silence is spoken as the model speaks it; `convert_file` keeps it silent.
        `cut` as in `convert_blocks`.
        """
        waveform = _checked(waveform)
        gain = audio.level_gain(waveform, self.sample_rate)
        return np.concatenate(list(self.convert_blocks([waveform], speaker, gain, temperature, seed, cut)))

    def convert_file(
        self,
        source: str | Path,
        speaker: str,
        out: str | Path,
        temperature: float | None = None,
        seed: int = 0,
        cut: bool = True,
        heard: Heard | None = None,
    ) -> None:
        """Write a recording of any format to `out` in this speaker's voice; the ending of `out` names the format.

        The speech gets the level of the source's, or less where a peak would lie above `audio.PEAK`, and silence stays
        silence. `cut` and `heard` as in `convert_blocks`; memory does not grow with the length.
        Raises AudioError when the source cannot be read or `out` cannot be written; it is written whole or not at all.
        """
        convert_file(self, Path(source), speaker, Path(out), temperature, seed, cut, heard)

    def convert_blocks(
        self,
        blocks: Iterable[np.ndarray],
        speaker: str,
        gain: float,
        temperature: float | None = None,
        seed: int = 0,
        cut: bool = True,
        heard: Heard | None = None,
    ) -> Iterator[np.ndarray]:
        """Blocks of samples `[T]` -> blocks of converted samples, in memory that does not grow with the length.

        `gain` is what `audio.level_gain` gives for the whole. With `cut` a long signal is cut at pauses and its parts
        are decoded beside each other, each from a little before its beginning, so that no seam is heard; without, it
        is one stream, block by block. `heard(seconds)` is called with the seconds done so far.
        """
        voice = self.voice(speaker, temperature, seed)
        if cut:
            return convert_in_parts(self, blocks, gain, voice, heard or _silent)
        return convert_in_stream(self, blocks, gain, voice, heard or _silent)

    def convert_live(
        self,
        blocks: Iterable[np.ndarray],
        speaker: str,
        gain: float = 1.0,
        temperature: float | None = None,
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Blocks of samples `[T]` as they come -> the samples of `convert_blocks` without `cut`, `latency` later."""
        voice = self.voice(speaker, temperature, seed)
        return convert_in_stream(self, blocks, gain, voice, _silent, self.live_frames)

    @property
    def streams(self) -> int:
        """Utterances that `decode_batch` decodes at once."""
        return CORE_STREAMS * torch.get_num_threads() if self.device.type == "cpu" else GPU_STREAMS

    @property
    def latency(self) -> float:
        """Seconds of a signal that `convert_live` has to have heard before it speaks the first of them."""
        frames = self.live_frames + self.model.encoder.context + self.model.prepare.context
        return frames * self.hop / self.sample_rate

    @property
    def live_frames(self) -> int:
        """Frames that `convert_live` encodes at a time."""
        return max(1, round(LIVE_SECONDS * self.sample_rate / self.hop))

    def voice(self, speaker: str, temperature: float | None, seed: int) -> Voice:
        """What a conversion is spoken with; raises VqspeechError when the model cannot convert so."""
        row = self.speaker_index(speaker)
        self.require_codes(discrete=False)
        _check_seed(seed)
        return Voice(row, self._checked_temperature(temperature), seed)

    def coded(
        self, blocks: Iterable[np.ndarray], gain: float, frames: int | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Blocks of samples -> blocks of units `[n]` and of the power of each unit's samples `[n]`.

        With `frames` they come so many at a time, and as soon as they can.
        """
        stretch = frames or max(1, round(ENCODE_SECONDS * self.sample_rate / self.hop))
        levelled = (np.asarray(block * np.float32(gain), np.float32) for block in blocks)
        found = windows(levelled, self.hop, stretch, self.model.encoder.context)
        return in_order(self._encode_window, found, threads=1 if frames else None)

    def _encode_window(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        samples = torch.from_numpy(window.samples).to(self.device).unsqueeze(0)
        with on_one_core():
            codes = self.model.encode(samples)
        units = codes.indices[0] if self.model.bottleneck.discrete else codes.latents[0].t()
        units = units[window.frames].cpu().numpy()
        padded = np.pad(window.samples, (0, -len(window.samples) % self.hop))
        return units, np.square(padded.reshape(-1, self.hop)).mean(axis=1)[window.frames]

    def conditioning(self, units: np.ndarray, speaker: int, chosen: slice | None = None) -> Tensor:
        """Conditioning frames `[n, C]` of the chosen units of an utterance, all by default."""
        codes = torch.from_numpy(units.T).to(self.device).unsqueeze(0)
        with on_one_core():
            frames = self.model.conditioning(codes, torch.tensor([speaker], device=self.device))[0].t()
        if chosen is None:
            return frames
        rate = self.hop // self.model.decoder.hop
        return frames[chosen.start * rate : chosen.stop * rate]

    def speak(
        self, frames: Sequence[Tensor], temperature: float, seeds: Sequence[int], heard: Heard
    ) -> list[np.ndarray]:
        """Conditioning frames `[n, C]` of several streams -> their samples."""
        # Padded after the convolutions, which would else let the padding into an utterance's last frames.
        conditioning = pad_sequence(list(frames), batch_first=True).transpose(1, 2)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        total = conditioning.shape[2]
        drawn = sample(
            self.model.decoder, conditioning, temperature, generators, lambda frame: heard(frame / total), self.sampler
        )
        hop = self.model.decoder.hop
        return [row[: len(own) * hop].cpu().numpy() for row, own in zip(drawn, frames, strict=True)]

    def check_sampling(self, temperature: float | None, seed: int) -> None:
        """Raise VqspeechError for a temperature or seed that sampling would refuse."""
        self._checked_temperature(temperature)
        _check_seed(seed)

    def _checked_temperature(self, temperature: float | None) -> float:
        """The temperature asked for, or the model's own."""
        if temperature is None:
            return self.temperature
        if not 0 <= temperature < math.inf:
            raise VqspeechError(
                f"temperature {temperature} is no number from 0 on: 0 takes the likeliest, 1 draws as trained"
            )
        return temperature

    def _checked_units(self, units: Sequence[int] | np.ndarray) -> np.ndarray:
        array = np.asarray(units)
        if not self.model.bottleneck.discrete:
            if array.ndim != 2 or len(array) == 0 or array.shape[1] != self.config.bottleneck.dim:
                expected = f"expected [N, {self.config.bottleneck.dim}], N > 0"
                raise VqspeechError(f"cannot decode frames of shape {array.shape}: {expected}")
            return array.astype(np.float32)
        if array.ndim != 1 or len(array) == 0:
            raise VqspeechError(f"cannot decode units of shape {array.shape}: expected [N], N > 0")
        if array.dtype.kind not in "iu":
            raise VqspeechError(f"cannot decode units of type {array.dtype}: expected whole numbers")
        if array.min() < 0 or array.max() >= self.codes:
            raise VqspeechError(
                f"cannot decode unit {int(array.max() if array.max() >= self.codes else array.min())}: "
                f"model {self.name} has units 0 to {self.codes - 1}"
            )
        return array.astype(np.int64)


def _silent(_: float) -> None:
    """Nobody wants to hear how far it is."""


def _checked(waveform: np.ndarray) -> np.ndarray:
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1 or len(waveform) == 0:
        raise VqspeechError(f"cannot encode an array of shape {waveform.shape}: expected samples [T], T > 0")
    if not np.isfinite(waveform).all():
        raise VqspeechError("cannot encode samples that are NaN or infinite")
    return waveform


def _check_seed(seed: int) -> None:
    if not -(2**63) <= seed < 2**64:
        raise VqspeechError(f"seed {seed} does not fit into 64 bits")
