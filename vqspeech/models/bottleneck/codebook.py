"""Codes that lie among the encoder's frames: how they are placed, found, moved along and brought back to life."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck
from vqspeech.models.bottleneck.ranks import choose_rows, from_first_rank, sum_over_ranks


class CodebookBottleneck(Bottleneck):
    """Base of the bottlenecks that choose by distance (Oord et al. 2017, section 3).

    Until `start` has placed the codes, latents pass unquantised, so that k-means sees what a trained encoder makes.
    A code whose moving average of use falls below `restart` times the mean is moved to a frame of the batch and its
    averages with it; all ranks make the same move. C, the width of a code's vector, is D unless `code_dim` says less
    (Yu et al. 2022, section 3.2).
    """

    codebook: Tensor
    usage: Tensor
    total: Tensor
    started: Tensor

    def __init__(self, config: BottleneckConfig, learnt: bool = False) -> None:
        super().__init__()
        self.config = config
        self.codes = config.codes
        self.learnt = learnt
        width = config.code_dim or config.dim
        self.enter = nn.Conv1d(config.dim, width, 1) if config.code_dim else nn.Identity()
        self.leave = nn.Conv1d(width, config.dim, 1) if config.code_dim else nn.Identity()
        codebook = torch.randn(config.codes, width).mul_(config.code_scale)
        if learnt:
            self.codebook = nn.Parameter(codebook)
        else:
            self.register_buffer("codebook", codebook)
        # Moving averages of each code's use (frames per batch) and of the sum of the frames that chose it.
        self.register_buffer("usage", torch.ones(config.codes))
        self.register_buffer("total", codebook.clone())
        self.register_buffer("started", torch.tensor(False))
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether `start` has placed the codes."""
        # Looking at the buffer makes a GPU wait, so it is done no longer than needed.
        self._ready = self._ready or bool(self.started)
        return self._ready

    @property
    def vectors(self) -> Tensor:
        """Of all codes `[K, C]`; with `unit` they lie on the sphere of the frames."""
        return _on_sphere(self.codebook, 1) if self.config.normalise == "unit" else self.codebook

    def frames(self, latents: Tensor) -> Tensor:
        """Latents `[B, D, N]` as they are compared with the codes, `[B, C, N]` in float32."""
        latents = self.enter(latents.float())
        if self.config.normalise == "frame":
            return functional.layer_norm(latents.transpose(1, 2), latents.shape[1:2]).transpose(1, 2)
        return _on_sphere(latents, 1) if self.config.normalise == "unit" else latents

    def scores(self, flat: Tensor) -> Tensor:
        """Squared distances `[M, K]` of frames `[M, C]` to all codes, less a number of each frame's own."""
        # |z - e|^2 without |z|^2, which is the same for all codes.
        vectors = self.vectors
        return torch.addmm(vectors.square().sum(1), flat, vectors.t(), alpha=-2)

    def nearest(self, flat: Tensor) -> Tensor:
        """Index `[M]` of the code nearest to each frame of `[M, C]`; the lowest index wins a tie."""
        return self.scores(flat).argmin(1)

    def chosen(self, indices: Tensor) -> Tensor:
        """The codes' vectors `[B, C, N]` for indices `[B, N]`."""
        return functional.embedding(indices, self.vectors).transpose(1, 2)

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> `[B, D, N]`."""
        return self.leave(self.chosen(indices))

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Place the codes by k-means on what training frames `[M, D]` are compared as."""
        if self.config.kmeans:
            frames = self.frames(latents.t().unsqueeze(0))[0].t()
            self._place(slice(None), from_first_rank(_kmeans(frames, self.codes)))
        self.started.fill_(True)

    def commitment(self, frames: Tensor, quantised: Tensor) -> tuple[Tensor, Tensor]:
        """The loss that keeps frames `[B, C, N]` at their codes, and the distance between them."""
        distance = functional.mse_loss(frames, quantised.detach())
        return self.config.beta * distance, distance.detach()

    @torch.no_grad()
    def update(self, flat: Tensor, chosen: Tensor) -> None:
        """Follow frames `[M, C]` that chose the codes `[M]`, or `[M, m]` where each chose m times."""
        choices = chosen.reshape(len(flat), -1)
        share = 1 / choices.shape[1]
        counts = torch.bincount(choices.flatten(), minlength=self.codes).to(flat.dtype) * share
        sums = torch.zeros_like(self.total)
        for choice in choices.unbind(1):
            sums.index_add_(0, choice, flat, alpha=share)
        sum_over_ranks(counts)
        sum_over_ranks(sums)
        decay = self.config.ema_decay
        self.usage.lerp_(counts, 1 - decay)
        if not self.learnt:
            self.total.lerp_(sums, 1 - decay)
            # A code that nobody has used for a thousand steps stays: dividing by almost nothing would move it.
            used = (self.usage > 1e-5).unsqueeze(1)
            self.codebook.copy_(torch.where(used, self.total / self.usage.unsqueeze(1), self.codebook))
        dead = (self.usage < self.config.restart * self.usage.mean()).nonzero().squeeze(1)
        if len(dead):
            # Not two of them to one frame, where only one could ever be chosen.
            frames = choose_rows(flat, len(dead))
            self._place(dead[: len(frames)], frames)

    def _place(self, which: Tensor | slice, frames: Tensor) -> None:
        """Move codes onto frames, with the mean use and the averages that belong to it."""
        usage = self.usage.mean()
        self.codebook.data[which] = frames
        self.usage[which] = usage
        self.total[which] = frames * usage


def _on_sphere(vectors: Tensor, axis: int) -> Tensor:
    """Vectors along an axis of C values brought to the length sqrt(C), which makes their variance about 1."""
    return functional.normalize(vectors, dim=axis) * vectors.shape[axis] ** 0.5


def _kmeans(frames: Tensor, codes: int, iterations: int = 20) -> Tensor:
    """Centres `[K, D]` of frames `[M, D]` by Lloyd's algorithm; a cluster that runs empty restarts at a frame."""
    centres = _spread(frames, codes)
    for _ in range(iterations):
        nearest = torch.addmm(centres.square().sum(1), frames, centres.t(), alpha=-2).argmin(1)
        counts = torch.bincount(nearest, minlength=codes)
        sums = torch.zeros_like(centres).index_add_(0, nearest, frames)
        centres = sums / counts.clamp_min(1).unsqueeze(1)
        empty = (counts == 0).nonzero().squeeze(1)
        centres[empty] = frames[torch.randint(len(frames), (len(empty),), device=frames.device)]
    return centres


def _spread(frames: Tensor, codes: int) -> Tensor:
    """Choose K of the frames, each with odds by its squared distance from those before (k-means++)."""
    chosen = [frames[0]]
    distances = (frames - chosen[0]).square().sum(1)
    for _ in range(codes - 1):
        # All frames may coincide with a chosen one: then any is as good.
        odds = distances if distances.any() else torch.ones_like(distances)
        chosen.append(frames[int(torch.multinomial(odds, 1))])
        distances = torch.minimum(distances, (frames - chosen[-1]).square().sum(1))
    return torch.stack(chosen)
