"""A small Conformer (Gulati et al. 2020) that CTC trains: units or log-mel bands become log probabilities of labels."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.errors import VqspeechError

LOG_MEL_BANDS = 40
STRIDES = ((1, 4), (1, 2), (1, 1), (2, 1), (4, 1))
"""How often each input frame is repeated, and of how many frames one is made then; the shortest sequences first."""
MASKS = 2
MASKED = 0.1
"""At most this share of an utterance is hidden by each of the masks."""


@dataclass(frozen=True)
class Shape:
    """What a recogniser is made of."""

    codes: int | None
    """Units that there are, K; None for log-mel bands."""
    labels: int
    """The blank included."""
    repeat: int
    stride: int
    width: int
    layers: int
    heads: int = 4
    kernel: int = 15
    dropout: float = 0.1


def fitting_stride(lengths: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """The first of `STRIDES` that leaves every utterance the frames it needs, from their inputs and these frames.

    Raises VqspeechError that names an utterance for which there is none.
    """
    for repeat, stride in STRIDES:
        short = [id for id, (inputs, needed) in lengths.items() if -(-inputs * repeat // stride) < needed]
        if not short:
            return repeat, stride
    raise VqspeechError(f"utterance {short[0]}: too short for its text, even with each input {repeat} times")


class Recogniser(nn.Module):
    """Inputs `[B, N, ...]` to log probabilities `[B, M, labels]`, label 0 being the blank."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width = shape.width
        self.input = Bands(width) if shape.codes is None else Units(shape.codes, width)
        # Strides differ, not the number of weights.
        halvings = int(math.log2(shape.stride))
        self.subsampling = nn.ModuleList(nn.Conv1d(width, width, 3, 2 if n < halvings else 1, 1) for n in range(2))
        self.dropout = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.final = nn.Linear(width, shape.labels)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log probabilities and how many frames of them count `[B]`, for inputs of these lengths `[B]`."""
        hidden = self.input(inputs).repeat_interleave(self.shape.repeat, dim=1)
        lengths = lengths * self.shape.repeat
        hidden = hidden * _inside(lengths, hidden)
        for convolution in self.subsampling:
            hidden = functional.gelu(convolution(hidden.transpose(1, 2))).transpose(1, 2)
            lengths = -(-lengths // convolution.stride[0])
            hidden = hidden * _inside(lengths, hidden)
        if self.training:
            hidden = hidden * _masks(lengths, hidden)
        hidden = self.dropout(hidden + _positions(hidden))
        inside = _inside(lengths, hidden)
        for block in self.blocks:
            hidden = block(hidden, inside)
        return self.final(hidden).log_softmax(-1), lengths

    def save(self, folder: Path) -> None:
        """Write what `load` reads."""
        (folder / "shape.json").write_text(json.dumps(asdict(self.shape), indent=2) + "\n", encoding="utf-8")
        save_file(self.state_dict(), folder / "recogniser.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a recogniser; raises VqspeechError where there is none."""
        if not (folder / "shape.json").exists():
            raise VqspeechError(f"{folder}: holds no recogniser; train.py makes one")
        recogniser = cls(Shape(**json.loads((folder / "shape.json").read_text(encoding="utf-8"))))
        recogniser.load_state_dict(load_file(folder / "recogniser.safetensors"))
        return recogniser.eval()


class Units(nn.Module):
    """Units and their durations `[B, N, 2]` as vectors `[B, N, width]`."""

    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, width)
        self.duration = nn.Linear(1, width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        units, durations = inputs.unbind(-1)
        return self.embedding(units) + self.duration(durations.clamp(min=1).float().log().unsqueeze(-1))


class Bands(nn.Linear):
    """Log-mel bands `[B, N, 40]` as vectors `[B, N, width]`."""

    def __init__(self, width: int) -> None:
        super().__init__(LOG_MEL_BANDS, width)


class Block(nn.Module):
    """Half a feed-forward layer, attention, convolution, the other half (Gulati et al. 2020, section 2.4).

    Attention has absolute positions, and the convolution a layer norm: batch norm would let padding in.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, self.heads = shape.width, shape.heads
        self.before, self.after = (_feed_forward(width, shape.dropout) for _ in range(2))
        self.attention_norm, self.convolution_norm, self.norm = (nn.LayerNorm(width) for _ in range(3))
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.gated = nn.Linear(width, 2 * width)
        self.convolution = nn.Conv1d(width, width, shape.kernel, padding=shape.kernel // 2, groups=width)
        self.convolved = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, width))
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, hidden: Tensor, inside: Tensor) -> Tensor:
        """`hidden [B, M, width]` to the same; `inside [B, M, 1]` is 0 for padding."""
        hidden = hidden + self.before(hidden) / 2
        hidden = hidden + self.dropout(self._attend(self.attention_norm(hidden), inside))
        hidden = hidden + self.dropout(self._convolve(self.convolution_norm(hidden), inside))
        return self.norm(hidden + self.after(hidden) / 2)

    def _attend(self, hidden: Tensor, inside: Tensor) -> Tensor:
        parts = self.queries_keys_values(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask = inside[:, None, None, :, 0].bool()
        found = functional.scaled_dot_product_attention(*parts, attn_mask=mask)
        return self.attended(found.transpose(1, 2).flatten(2))

    def _convolve(self, hidden: Tensor, inside: Tensor) -> Tensor:
        gated = functional.glu(self.gated(hidden)) * inside
        return self.convolved(self.convolution(gated.transpose(1, 2)).transpose(1, 2))


def _feed_forward(width: int, dropout: float) -> nn.Sequential:
    wide = 4 * width
    layers = nn.Linear(width, wide), nn.SiLU(), nn.Dropout(dropout), nn.Linear(wide, width), nn.Dropout(dropout)
    return nn.Sequential(nn.LayerNorm(width), *layers)


def _inside(lengths: Tensor, hidden: Tensor) -> Tensor:
    """`[B, N, 1]`, 1 within the lengths `[B]` and 0 behind."""
    return (torch.arange(hidden.shape[1]) < lengths[:, None]).unsqueeze(-1).to(hidden.dtype)


def _positions(hidden: Tensor) -> Tensor:
    """Sines and cosines `[N, width]` (Vaswani et al. 2017, section 3.5)."""
    _, length, width = hidden.shape
    periods = torch.exp(torch.arange(0, width, 2) * (-math.log(10000) / width))
    angles = torch.arange(length)[:, None] * periods
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _masks(lengths: Tensor, hidden: Tensor) -> Tensor:
    """`[B, N, 1]`, 0 in a few spans of each utterance (time masking, Park et al. 2019)."""
    positions = torch.arange(hidden.shape[1])
    kept = torch.ones(hidden.shape[:2])
    for _ in range(MASKS):
        spans = torch.rand(len(lengths)) * MASKED * lengths
        starts = torch.rand(len(lengths)) * (lengths - spans)
        kept[(positions >= starts[:, None]) & (positions < (starts + spans)[:, None])] = 0
    return kept.unsqueeze(-1)
