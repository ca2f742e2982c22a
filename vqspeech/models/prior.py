"""What is known of code sequences before any speech is heard: p(z), learnt last (Oord et al. 2017, section 3.3).

Every prior answers the same two questions: how likely is a sequence (`log_prob`), and what may come next (`next`), from
which `sample` draws. Codes are `[B, N]` int64.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import PriorConfig

CHUNK = 1024
"""Codes that are looked at together."""
UNTOLD = 0.1
"""Share of training sequences whose speaker is not told, so that strangers are no surprise."""


class Prior(nn.Module):
    """Base of all priors over K codes."""

    codes: int

    def log_prob(self, codes: Tensor, speaker: Tensor | None = None) -> Tensor:
        """Nats log p `[B, N]` of each code `[B, N]` given those before it, for speaker numbers `[B]`."""
        raise NotImplementedError

    def begin(self, batch: int, speaker: Tensor | None = None) -> Any:
        """What is remembered of B sequences before their first codes."""
        return None

    def next(self, state: Any, code: Tensor | None) -> Tensor:
        """Log probabilities `[B, K]` (or `[1, K]`) of the next code; `code [B]` is the one before, None at first."""
        raise NotImplementedError


class Histogram(Prior):
    """Each code as often as in training, whatever came before; or each alike, where there are no counts."""

    table: Tensor

    def __init__(self, codes: int, counts: Tensor | None = None) -> None:
        super().__init__()
        self.codes = codes
        counts = torch.zeros(codes) if counts is None else counts
        # One more of each, so that a code that training lacks is unlikely rather than impossible.
        self.register_buffer("table", ((counts.double() + 1) / (counts.double() + 1).sum()).log().float())

    def log_prob(self, codes: Tensor, speaker: Tensor | None = None) -> Tensor:
        """As `Prior.log_prob`."""
        return self.table[codes]

    def next(self, state: Any, code: Tensor | None) -> Tensor:
        """As `Prior.next`."""
        return self.table.unsqueeze(0)


class Autoregressive(Prior):
    """A causal Transformer with rotary positions (Vaswani et al. 2017; Su et al. 2021), conditioned on the speaker.

    Each layer looks back over `window` codes, itself included, so that a cache of as many keys and values gives the
    same numbers as the whole sequence, however long it gets.
    """

    def __init__(self, codes: int, speakers: int, config: PriorConfig) -> None:
        super().__init__()
        self.codes, self.config = codes, config
        width = config.width
        # The last row stands for the beginning, or for a speaker who is not known.
        self.embedding = nn.Embedding(codes + 1, width)
        self.speakers = nn.Embedding(speakers + 1, width) if config.speaker else None
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.final = nn.Linear(width, codes)
        for embedding in (self.embedding, self.speakers):
            if embedding is not None:
                nn.init.normal_(embedding.weight, std=0.02)

    def log_prob(self, codes: Tensor, speaker: Tensor | None = None, before: Tensor | None = None) -> Tensor:
        """As `Prior.log_prob`; a stretch from within a sequence tells the code before it, `before [B]`."""
        first = codes.new_full((len(codes),), self.codes) if before is None else before
        embedded = self._embed(torch.cat([first.unsqueeze(1), codes[:, :-1]], dim=1), speaker)
        embedded = functional.dropout(embedded, self.config.dropout, self.training)
        positions = torch.arange(codes.shape[1], device=codes.device)
        past: list[tuple[Tensor, Tensor] | None] = [None] * len(self.layers)
        found = []
        # Chunk by chunk, so that memory does not grow with the square of the length.
        for x, places, chosen in zip(
            embedded.split(CHUNK, dim=1), positions.split(CHUNK), codes.split(CHUNK, dim=1), strict=True
        ):
            for i, layer in enumerate(self.layers):
                x, past[i] = layer(x, places, past[i])
            logits = self.final(self.norm(x)).float()
            found.append(functional.log_softmax(logits, dim=-1).gather(2, chosen.unsqueeze(2)).squeeze(2))
        return torch.cat(found, dim=1)

    def begin(self, batch: int, speaker: Tensor | None = None) -> "_State":
        """As `Prior.begin`."""
        return _State(batch, speaker, [None] * len(self.layers))

    @torch.no_grad()
    def next(self, state: "_State", code: Tensor | None) -> Tensor:
        """As `Prior.next`; the state moves on by one code."""
        if code is None:
            code = torch.full((state.batch,), self.codes, device=self.embedding.weight.device)
        x = self._embed(code.unsqueeze(1), state.speaker)
        position = torch.tensor([state.position], device=code.device)
        for i, layer in enumerate(self.layers):
            x, state.past[i] = layer(x, position, state.past[i])
        state.position += 1
        return functional.log_softmax(self.final(self.norm(x[:, 0])).float(), dim=-1)

    def _embed(self, codes: Tensor, speaker: Tensor | None) -> Tensor:
        x = self.embedding(codes)
        if self.speakers is None:
            return x
        nobody = self.speakers.num_embeddings - 1
        rows = codes.new_full((len(codes),), nobody) if speaker is None else speaker % (nobody + 1)
        if self.training:
            rows = rows.masked_fill(torch.rand(len(rows), device=rows.device) < UNTOLD, nobody)
        return x + self.speakers(rows).unsqueeze(1)


class _State:
    """The keys and values of each layer for the last codes, and the number of codes so far."""

    def __init__(self, batch: int, speaker: Tensor | None, past: list[tuple[Tensor, Tensor] | None]) -> None:
        self.batch, self.speaker, self.past, self.position = batch, speaker, past, 0


class _Layer(nn.Module):
    """Attention, then a feed-forward network, each on a normalised copy and added."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        width = config.width
        self.heads, self.window, self.dropout = config.heads, config.window, config.dropout
        self.before = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, x: Tensor, positions: Tensor, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """`[B, N, width]` at positions `[N]`, behind past keys and values -> the same, and these for later."""
        query, key, value = self.project(self.before(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = _rotate(query, positions), _rotate(key, positions)
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        total = key.shape[2]
        own = torch.arange(total - len(positions), total, device=x.device).unsqueeze(1)
        other = torch.arange(total, device=x.device)
        seen = (other <= own) & (other > own - self.window)
        # Of attention itself nothing is dropped: on a CPU that would take twice the time.
        heard = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        x = x + functional.dropout(self.join(heard.transpose(1, 2).flatten(2)), self.dropout, self.training)
        x = x + functional.dropout(self.feed(x), self.dropout, self.training)
        first = max(0, total - self.window + 1)
        return x, (key[:, :, first:], value[:, :, first:])


def _rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Turn pairs of `[B, H, N, C]` by angles that grow with the position (Su et al. 2021, section 3.4.2)."""
    half = x.shape[3] // 2
    rates = 10_000 ** (-torch.arange(half, device=x.device) / half)
    angles = positions.unsqueeze(1) * rates
    sine, cosine = angles.sin().to(x.dtype), angles.cos().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=3)


@torch.no_grad()
def sample(
    prior: Prior,
    frames: int,
    generators: Sequence[torch.Generator],
    speaker: Tensor | None = None,
    prompt: Tensor | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
) -> Tensor:
    """Draw codes `[B, frames]`, one sequence for each generator; they begin with the prompt `[P]`, if there is one.

    `temperature` 0 takes the likeliest; `top_p` keeps the likeliest codes whose odds together reach that much
    (Holtzman et al. 2020, section 3.1).
    """
    batch = len(generators)
    drawn = torch.zeros(batch, frames, dtype=torch.long)
    given = 0 if prompt is None else min(len(prompt), frames)
    if prompt is not None:
        drawn[:, :given] = prompt[:given]
    state = prior.begin(batch, speaker)
    code: Tensor | None = None
    for n in range(frames):
        if n < given:
            prior.next(state, code)
        else:
            drawn[:, n] = _choose(prior.next(state, code).expand(batch, -1), temperature, top_p, generators)
        code = drawn[:, n]
    return drawn


def _choose(log_prob: Tensor, temperature: float, top_p: float, generators: Sequence[torch.Generator]) -> Tensor:
    if temperature == 0:
        return log_prob.argmax(1)
    probabilities = (log_prob / temperature).softmax(1)
    ordered, order = probabilities.sort(dim=1, descending=True, stable=True)
    # A code stays when those before it do not reach top_p yet; the likeliest always does.
    kept = torch.where(ordered.cumsum(1) - ordered < top_p, ordered, 0.0)
    uniform = torch.stack([torch.rand(1, generator=generator) for generator in generators])
    cumulative = kept.cumsum(1)
    place = torch.searchsorted(cumulative, uniform * cumulative[:, -1:], right=True)
    return order.gather(1, place.clamp_max(kept.shape[1] - 1)).squeeze(1)
