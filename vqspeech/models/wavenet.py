"""The decoder: a WaveNet over past samples, conditioned once per frame."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import DecoderConfig
from vqspeech.models.gated_stack import GatedStack
from vqspeech.models.layers import ResidualBlock
from vqspeech.models.output import make_output


class Conditioning(nn.Module):
    """Codes and speaker to conditioning frames: convolutions that smooth the codes and, for a slow rate, interpolate.

    The speaker's embedding is joined to each frame. One frame comes out for every `conditioning_hop` samples.
    """

    def __init__(self, config: DecoderConfig, hop: int, inputs: int) -> None:
        super().__init__()
        channels, rate = config.conditioning, hop // config.conditioning_hop
        self.context = 1 + -(-sum(config.conditioning_dilations) // rate)
        """Codes on either side that bear on a code's frames."""
        self.widen = nn.Conv1d(inputs, channels, 3, padding=1)
        self.upsample = nn.ConvTranspose1d(channels, channels, rate, stride=rate) if rate > 1 else nn.Identity()
        self.blocks = nn.Sequential(*(ResidualBlock(channels, d) for d in config.conditioning_dilations))

    def forward(self, latents: Tensor, speaker: Tensor) -> Tensor:
        """Latents `[B, D, N]` and speaker embeddings `[B, S]` -> `[B, C, N * hop / conditioning_hop]`."""
        speaker = speaker.unsqueeze(2).expand(-1, -1, latents.shape[2])
        return self.blocks(self.upsample(self.widen(torch.cat([latents, speaker], dim=1))))


def gate_biases(table: Tensor) -> nn.Embedding:
    """The decoder's table of voices that have gate biases of their own, `[V, L * 2R]`."""
    return nn.Embedding.from_pretrained(table, freeze=False)


class WaveNet(nn.Module):
    """Gated dilated causal convolutions (Oord et al. 2016, section 2) that predict each sample from those before.

    Every layer's gates take the past and a projection of the conditioning frame; the gated activations of all layers
    meet in one skip product, followed by two ReLU layers. Projecting per frame and holding the result over the frame is
    the same function as upsampling the conditioning first, at 1/hop of the cost.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.output = make_output(config)
        self.hop = config.conditioning_hop
        self.dilations = tuple(2 ** (i % config.cycle) for i in range(config.layers))
        layers, width = config.layers, config.residual
        self.past = self.output.past_layer(width)
        self.conditioning = nn.Linear(config.conditioning, layers * 2 * width)
        self.voices = gate_biases(torch.zeros(config.voices, layers * 2 * width)) if config.voices else None
        self.dilated = nn.Parameter(torch.randn(layers, config.kernel, width, 2 * width))
        self.residual = nn.Parameter(torch.randn(layers - 1, width, width))
        self.residual_bias = nn.Parameter(torch.zeros(layers - 1, width))
        self.skip = nn.Linear(layers * width, config.skip)
        self.hidden = nn.Linear(config.skip, config.skip)
        self.final = nn.Linear(config.skip, self.output.channels)
        with torch.no_grad():
            self.dilated.mul_((config.kernel * width) ** -0.5)
            self.residual.mul_(width**-0.5)

    @property
    def receptive_field(self) -> int:
        """Number of past samples that bear on the prediction of the next one."""
        return 1 + sum((self.config.kernel - 1) * dilation for dilation in self.dilations)

    def forward(self, waveform: Tensor, conditioning: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Predict every sample of `waveform [B, N * hop]` from the ones before it (teacher forcing).

        `conditioning [B, C, N]`; `hidden [B, N * hop]` marks samples that the decoder may not see as past.
        Returns the output's parameters `[B, N * hop, channels]`.
        """
        batch, samples = waveform.shape
        past = self.past(self.output.past(functional.pad(waveform[:, :-1], (1, 0))))
        if hidden is not None:
            past = past.masked_fill(functional.pad(hidden[:, :-1], (1, 0)).unsqueeze(2), 0)
        gates = self.project(conditioning)
        rows = past.transpose(0, 1).reshape(samples * batch, -1).to(gates.dtype)
        gated = GatedStack.apply(rows, gates, self.dilated, self.residual, self.residual_bias, self.dilations)
        parameters = self.predict(gated)
        return parameters.view(samples, batch, -1).transpose(0, 1)

    def project(self, conditioning: Tensor) -> Tensor:
        """Conditioning frames `[B, C, N]` -> gate inputs of every layer `[L, N, B, 2R]`.

        Channels beyond those of the conditioning network tell which of the voices with biases of their own speaks.
        """
        batch, _, frames = conditioning.shape
        common = self.conditioning.in_features
        gates = self.conditioning(conditioning[:, :common].permute(2, 0, 1))
        if self.voices is not None:
            gates = gates + conditioning[:, common:].permute(2, 0, 1) @ self.voices.weight
        return gates.view(frames, batch, len(self.dilations), -1).permute(2, 0, 1, 3)

    def predict(self, gated: Tensor) -> Tensor:
        """Gated activations of all layers `[..., L * R]` -> the output's parameters `[..., channels]`."""
        return self.final(functional.relu(self.hidden(functional.relu(self.skip(gated)))))
