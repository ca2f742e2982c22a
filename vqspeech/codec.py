"""A trained model ready for use: audio to units, units to speech, one voice to another."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from vqspeech import audio
from vqspeech.config import TEMPERATURE, ModelConfig
from vqspeech.errors import VqspeechError, did_you_mean
from vqspeech.hub import from_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.synthesis import sample

ENCODE_SECONDS = 30.0
"""Longer audio is encoded in stretches of this length, with enough context that the codes stay the same."""
STREAMS = 64
"""Utterances that are decoded at once."""


class Codec:
    """A model with the audio handling around it; made by `vqspeech.load`."""

    def __init__(self, model: VQVAE, config: ModelConfig, speakers: tuple[str, ...], name: str) -> None:
        self.model, self.config, self.speakers, self.name = model.eval(), config, speakers, name
        self.sample_rate = config.sample_rate
        self.hop = config.hop
        self.codes = model.bottleneck.codes

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Self:
        """Read a model folder; raises VqspeechError when it is missing, damaged or of another format version."""
        loaded = from_pretrained(folder, device)
        return cls(loaded.model, loaded.config, loaded.speakers, str(folder))

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

    def require_codes(self) -> None:
        """Raise VqspeechError for a model trained without codes, whose units would say nothing."""
        if self.config.bottleneck.name == "none":
            raise VqspeechError(f"model {self.name} was trained without codes, to compare with: name another model")

    def encode(self, waveform: np.ndarray, level: bool = True) -> np.ndarray:
        """Samples `[T]` at the model's rate -> units `[ceil(T / hop)]`, int64 in 0..K-1.

        The level is brought to that of the training audio first, unless `level` is False.
        """
        waveform = np.asarray(waveform, dtype=np.float32)
        if waveform.ndim != 1 or len(waveform) == 0:
            raise VqspeechError(f"cannot encode an array of shape {waveform.shape}: expected samples [T], T > 0")
        if not np.isfinite(waveform).all():
            raise VqspeechError("cannot encode samples that are NaN or infinite")
        if level:
            waveform = waveform * audio.level_gain(waveform, self.sample_rate)
        stretch = max(1, round(ENCODE_SECONDS * self.sample_rate / self.hop))
        context = self.model.encoder.context
        total = -(-len(waveform) // self.hop)
        units = []
        for first in range(0, total, stretch):
            last = min(first + stretch, total)
            begin = max(0, first - context)
            part = torch.from_numpy(waveform[begin * self.hop : (last + context) * self.hop])
            codes = self.model.encode(part.to(self.device).unsqueeze(0)).indices[0]
            units.append(codes[first - begin : last - begin].cpu().numpy())
        return np.concatenate(units)

    def decode(
        self, units: Sequence[int] | np.ndarray, speaker: str, temperature: float = TEMPERATURE, seed: int = 0
    ) -> np.ndarray:
        """Units `[N]` -> samples `[N * hop]` at the model's rate in this speaker's voice."""
        return self.decode_batch([units], [speaker], temperature, seed)[0]

    def decode_batch(
        self,
        units: Sequence[Sequence[int] | np.ndarray],
        speakers: Sequence[str],
        temperature: float = TEMPERATURE,
        seed: int = 0,
        heard: Callable[[float], None] | None = None,
    ) -> list[np.ndarray]:
        """Several utterances at once, which costs little more than the longest of them.

        Each is what `decode` gives for it alone, up to rounding.
        `heard(share)` is called now and then with the share of the work that is done.
        """
        rows = [self.speaker_index(name) for name in speakers]
        if not 0 <= temperature < math.inf:
            raise VqspeechError(
                f"temperature {temperature} is no number from 0 on: 0 takes the likeliest, 1 draws as trained"
            )
        if not -(2**63) <= seed < 2**64:
            raise VqspeechError(f"seed {seed} does not fit into 64 bits")
        arrays = [self._check(entry) for entry in units]
        waveforms: list[np.ndarray] = [np.zeros(0, np.float32)] * len(arrays)
        # Neighbours in length share a batch, so that little is decoded past an utterance's end.
        order = sorted(range(len(arrays)), key=lambda i: len(arrays[i]))
        work, done = sum(len(arrays[i]) for i in order), 0
        for start in range(0, len(order), STREAMS):
            chosen = order[start : start + STREAMS]
            # Padded after the convolutions, which would else let the padding into an utterance's last frames.
            frames = [self._conditioning(arrays[i], rows[i]) for i in chosen]
            conditioning = pad_sequence(frames, batch_first=True).transpose(1, 2)
            generators = [torch.Generator().manual_seed(seed) for _ in chosen]
            size = sum(len(arrays[i]) for i in chosen)

            def tell(frame: int, frames: int = conditioning.shape[2], size: int = size, done: int = done) -> None:
                if heard is not None:
                    heard((done + size * frame / frames) / work)

            drawn = sample(self.model.decoder, conditioning, temperature, generators, tell).cpu().numpy()
            done += size
            for row, i in enumerate(chosen):
                waveforms[i] = drawn[row, : len(arrays[i]) * self.hop]
        return waveforms

    def convert(
        self,
        waveform: np.ndarray,
        speaker: str,
        temperature: float = TEMPERATURE,
        seed: int = 0,
        heard: Callable[[float], None] | None = None,
    ) -> np.ndarray:
        """Samples `[T]` at the model's rate -> the same words, `[T]`, in this speaker's voice, at training level."""
        self.speaker_index(speaker)
        self.require_codes()
        return self.decode_batch([self.encode(waveform)], [speaker], temperature, seed, heard)[0][: len(waveform)]

    def _conditioning(self, units: np.ndarray, speaker: int) -> torch.Tensor:
        """Conditioning frames `[N, C]` of one utterance."""
        indices = torch.from_numpy(units).to(self.device).unsqueeze(0)
        return self.model.conditioning(indices, torch.tensor([speaker], device=self.device))[0].t()

    def _check(self, units: Sequence[int] | np.ndarray) -> np.ndarray:
        array = np.asarray(units)
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
