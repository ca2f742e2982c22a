"""Vector quantisation: the nearest of K codes, with everything that keeps the codes alive."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.base import Bottleneck, Quantized


class VectorQuantizer(Bottleneck):
    """Nearest code with a straight-through gradient (Oord et al. 2017, section 3; EMA: appendix A.1).

    Until `start` has placed the codes, latents pass unquantised, so that k-means sees what a trained encoder makes.
    A code whose moving average of use falls below `restart` times the mean is moved to a frame of the batch and its
    averages with it; all ranks make the same move.
    """

    codebook: Tensor
    usage: Tensor
    total: Tensor
    started: Tensor

    def __init__(self, config: BottleneckConfig) -> None:
        super().__init__()
        self.config = config
        self.codes = config.codes
        codebook = torch.randn(config.codes, config.dim)
        if config.codebook == "ema":
            self.register_buffer("codebook", codebook)
        else:
            self.codebook = nn.Parameter(codebook)
        # Moving averages of each code's use (frames per batch) and of the sum of the frames that chose it.
        self.register_buffer("usage", torch.ones(config.codes))
        self.register_buffer("total", codebook.clone())
        self.register_buffer("started", torch.tensor(False))

    @property
    def ready(self) -> bool:
        """Whether `start` has placed the codes."""
        return bool(self.started)

    def forward(self, latents: Tensor) -> Quantized:
        """`[B, D, N]` -> `Quantized`; distances are taken in float32 whatever the autocast."""
        with torch.autocast(latents.device.type, enabled=False):
            latents = self.normalise(latents.float())
            flat = latents.transpose(1, 2).reshape(-1, latents.shape[1])
            nearest = self.nearest(flat)
            quantised = functional.embedding(nearest, self.codebook)
            indices = nearest.view(latents.shape[0], latents.shape[2])
            quantised = quantised.view(*indices.shape, -1).transpose(1, 2)
            distance = functional.mse_loss(latents, quantised.detach())
            losses = {"commitment": self.config.beta * distance}
            if self.config.codebook == "loss":
                losses["codebook"] = functional.mse_loss(quantised, latents.detach())
            if not self.ready:
                return Quantized(latents, indices)
            if self.training:
                self._update(flat.detach(), nearest)
            through = latents + (quantised - latents).detach()
            return Quantized(through, indices, losses, {"distance": distance.detach()})

    def normalise(self, latents: Tensor) -> Tensor:
        """Unit variance over the D values of each frame of `[B, D, N]`, if the config asks for it."""
        if not self.config.normalise:
            return latents
        return functional.layer_norm(latents.transpose(1, 2), latents.shape[1:2]).transpose(1, 2)

    def nearest(self, flat: Tensor) -> Tensor:
        """Index `[M]` of the code nearest to each frame of `[M, D]`; the lowest index wins a tie."""
        # |z - e|^2 without |z|^2, which is the same for all codes.
        scores = torch.addmm(self.codebook.square().sum(1), flat, self.codebook.t(), alpha=-2)
        return scores.argmin(1)

    def lookup(self, indices: Tensor) -> Tensor:
        """`[B, N]` -> `[B, D, N]`."""
        return functional.embedding(indices, self.codebook).transpose(1, 2)

    @torch.no_grad()
    def start(self, latents: Tensor) -> None:
        """Place the codes by k-means on training frames `[M, D]` (already normalised)."""
        if self.config.kmeans:
            self._place(slice(None), _from_first_rank(_kmeans(latents, self.codes)))
        self.started.fill_(True)

    @torch.no_grad()
    def _update(self, flat: Tensor, nearest: Tensor) -> None:
        counts = torch.bincount(nearest, minlength=self.codes).to(flat.dtype)
        sums = torch.zeros_like(self.codebook).index_add_(0, nearest, flat)
        _sum_over_ranks(counts)
        _sum_over_ranks(sums)
        decay = self.config.ema_decay
        self.usage.lerp_(counts, 1 - decay)
        if self.config.codebook == "ema":
            self.total.lerp_(sums, 1 - decay)
            self.codebook.copy_(self.total / self.usage.clamp_min(1e-5).unsqueeze(1))
        dead = (self.usage < self.config.restart * self.usage.mean()).nonzero().squeeze(1)
        if len(dead):
            chosen = torch.randint(len(flat), (len(dead),), device=flat.device)
            self._place(dead, _from_first_rank(flat[chosen]))

    def _place(self, which: Tensor | slice, frames: Tensor) -> None:
        """Move codes onto frames, with the mean use and the averages that belong to it."""
        usage = self.usage.mean()
        self.codebook.data[which] = frames
        self.usage[which] = usage
        self.total[which] = frames * usage


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


def _sum_over_ranks(tensor: Tensor) -> None:
    if dist.is_available() and dist.is_initialized():
        dist.all_reduce(tensor)


def _from_first_rank(tensor: Tensor) -> Tensor:
    if dist.is_available() and dist.is_initialized():
        tensor = tensor.contiguous()
        dist.broadcast(tensor, 0)
    return tensor
