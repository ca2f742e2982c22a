"""The whole model: encoder, bottleneck, speaker embedding and WaveNet decoder."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import ModelConfig
from vqspeech.models.bottleneck import make_bottleneck
from vqspeech.models.bottleneck.ranks import own_rows
from vqspeech.models.encoder import Encoder
from vqspeech.models.wavenet import Conditioning, WaveNet
from vqspeech.settings import ConfigError


@dataclass(frozen=True)
class Codes:
    """What the encoder makes of a waveform."""

    indices: Tensor
    """`[B, N]` int64."""
    latents: Tensor
    """`[B, D, N]`, the codes' vectors."""
    metrics: dict[str, Tensor]
    """What the bottleneck tells of itself, such as the distance of frames to their codes."""
    kl: Tensor | None = None
    """Divergence of the posterior from the uniform or the normal prior in nats a frame, where it is no single point."""


@dataclass(frozen=True)
class Output:
    """What one pass over a batch gives."""

    nll: Tensor
    """`[B, T]`, minus the log probability of every sample in nats."""
    indices: Tensor
    """`[B, N]` codes."""
    latents: Tensor
    """`[B, D, N]`, the codes' vectors, through which a gradient reaches the encoder."""
    losses: dict[str, Tensor] = field(default_factory=dict)
    """Scalars whose sum, with the mean of `nll`, is the training loss."""
    metrics: dict[str, Tensor] = field(default_factory=dict)
    """Scalars to log."""


class VQVAE(nn.Module):
    """VQ-VAE on raw waveforms (van den Oord et al. 2017, section 4.3).

    `T` samples become `N = ceil(T / hop)` codes; the code of frame n speaks for samples `[n * hop, (n + 1) * hop)`.
    """

    def __init__(self, config: ModelConfig, speakers: int) -> None:
        super().__init__()
        if min(config.encoder.strides, default=0) < 1:
            raise ConfigError(f"encoder.strides: {config.encoder.strides} must be whole numbers from 1 up")
        if config.hop % config.decoder.conditioning_hop:
            raise ConfigError(
                f"decoder.conditioning_hop: {config.decoder.conditioning_hop} does not divide the hop {config.hop}"
            )
        if config.decoder.voices > speakers:
            raise ConfigError(f"decoder.voices: {config.decoder.voices} are more than the {speakers} speakers")
        self.config = config
        self.hop = config.hop
        self.encoder = Encoder(config.encoder, config.bottleneck.dim)
        self.bottleneck = make_bottleneck(config.bottleneck)
        self.speakers = nn.Embedding(speakers, config.speaker_dim)
        self.prepare = Conditioning(config.decoder, self.hop, config.bottleneck.dim + config.speaker_dim)
        self.decoder = WaveNet(config.decoder)

    @torch.no_grad()
    def encode(self, waveform: Tensor, generator: torch.Generator | None = None) -> Codes:
        """Waveforms `[B, T]` in [-1, 1] -> codes of `N = ceil(T / hop)` frames.

        With a generator they are drawn where the bottleneck's posterior is more than one point.
        """
        # Half precision would flip a code in fifty: codes are always computed in float32.
        with torch.autocast(waveform.device.type, enabled=False):
            latents = self.encoder(waveform)
            found = self.bottleneck(latents) if generator is None else self.bottleneck.drawn(latents, generator)
        return Codes(found.indices, found.latents, found.metrics, found.kl)

    @torch.no_grad()
    def conditioning(self, codes: Tensor, speaker: Tensor) -> Tensor:
        """Codes and speaker numbers `[B]` -> conditioning frames `[B, C, N * hop / conditioning_hop]`.

        Codes are indices `[B, N]`, or latents `[B, D, N]` where the bottleneck is continuous.
        """
        latents = codes if codes.is_floating_point() else self.bottleneck.lookup(codes)
        return self._condition(latents, speaker)

    def _condition(self, latents: Tensor, speaker: Tensor) -> Tensor:
        frames = self.prepare(latents, self.speakers(speaker))
        if self.decoder.voices is None:
            return frames
        voices = self.decoder.voices.num_embeddings
        rows = torch.arange(voices, device=speaker.device) + self.speakers.num_embeddings - voices
        own = (rows == speaker.unsqueeze(1)).to(frames.dtype)
        return torch.cat([frames, own.unsqueeze(2).expand(-1, -1, frames.shape[2])], dim=1)

    def forward(
        self, waveform: Tensor, speaker: Tensor, length: Tensor | None = None, heard: Tensor | None = None
    ) -> Output:
        """Encode and decode with teacher forcing: waveforms `[B, T]`, of them `length [B]` samples, speakers `[B]`.

        The codes are those of `heard [B + P, T]`, if given, rather than of the waveforms themselves; the decoder
        leaves out the last P, which a bottleneck that learns from its likelihood cannot have.
        """
        heard = waveform if heard is None else heard
        quantized = self.bottleneck(self.encoder(heard))
        # Draws are compared with each other, so they meet the same jitter and the same gaps in the past.
        draws = len(quantized.latents) // len(heard)
        spoken = quantized.latents.unflatten(0, (draws, -1))[:, : len(waveform)].flatten(0, 1)
        frames = self._jitter(spoken, draws)
        nll = self.negative_log_likelihood(
            waveform.repeat(draws, 1), frames, speaker.repeat(draws), self._hidden(waveform, draws)
        )
        losses = dict(quantized.losses)
        if quantized.kl is not None:
            losses["kl"] = self.config.bottleneck.kl * quantized.kl / self.hop
        if quantized.feedback is not None:
            nll = nll.view(draws, *waveform.shape)
            counted = nll if length is None else nll * within(length, nll.shape[2])
            learnt = quantized.feedback(self._log_likelihood(counted))
            weights = learnt.weights.repeat_interleave(self.hop, dim=2)[:, :, : nll.shape[2]]
            nll = (weights * nll).sum(0)
            losses |= {name: loss / self.hop for name, loss in learnt.losses.items()}
        return Output(nll, quantized.indices, quantized.latents, losses, quantized.metrics)

    def _log_likelihood(self, nll: Tensor) -> Tensor:
        """Nats for every sample `[M, B, T]` -> log-likelihood of the samples that each code bears on `[M, B, N]`.

        Those are its own and those of the frames that the conditioning network mixes it into. Through the decoder's
        past it reaches further, but that is noise more than signal.
        """
        frames = functional.pad(nll.detach(), (0, -nll.shape[2] % self.hop)).unflatten(2, (-1, self.hop)).sum(3)
        window = 2 * self.prepare.context + 1
        return -window * functional.avg_pool1d(frames, window, stride=1, padding=window // 2)

    def negative_log_likelihood(
        self, waveform: Tensor, latents: Tensor, speaker: Tensor, hidden: Tensor | None = None
    ) -> Tensor:
        """Nats for every sample of `waveform [B, T]` given `latents [B, D, ceil(T / hop)]` -> `[B, T]`.

        The decoder is not shown the past samples that are true in `hidden [B, T]`.
        """
        length = waveform.shape[1]
        missing = -length % self.hop
        waveform = functional.pad(waveform, (0, missing))
        hidden = None if hidden is None else functional.pad(hidden, (0, missing))
        conditioning = self._condition(latents, speaker)
        parameters = self.decoder(waveform, conditioning, hidden)
        return self.decoder.output.negative_log_likelihood(parameters, waveform)[:, :length]

    def _jitter(self, latents: Tensor, draws: int = 1) -> Tensor:
        probability = self.config.bottleneck.jitter
        if not self.training or probability == 0:
            return latents
        sequences, _, frames = latents.shape
        chance = own_rows(lambda rows: torch.rand(rows, frames, device=latents.device), sequences // draws)
        chance = chance.repeat(draws, 1)
        step = (chance < probability / 2).long() - (chance > 1 - probability / 2).long()
        source = (torch.arange(frames, device=latents.device) + step).clamp(0, frames - 1)
        return latents.gather(2, source.unsqueeze(1).expand_as(latents))

    def _hidden(self, waveform: Tensor, draws: int) -> Tensor | None:
        share = self.config.decoder.past_dropout
        if not self.training or share == 0:
            return None
        batch, samples = waveform.shape
        chance = own_rows(lambda rows: torch.rand(rows, samples, device=waveform.device), batch)
        return (chance < share).repeat(draws, 1)


def within(length: Tensor, samples: int) -> Tensor:
    """`[B, samples]`, true where a waveform is no padding yet."""
    return torch.arange(samples, device=length.device) < length.unsqueeze(1)
