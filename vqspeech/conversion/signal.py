"""A signal of any length in another voice, in memory that does not grow with it: in parts, or as one stream."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from vqspeech.synthesis import stream
from vqspeech.windows import cut_at_pauses, windows

if TYPE_CHECKING:
    from vqspeech.codec import Codec, Heard

PART_SECONDS = 8.0
"""A signal twice as long or longer is cut at pauses into parts at least this long."""
PARTS = 32
"""Parts that are decoded at once."""
STREAM_SECONDS = 2.0
"""What one stream is conditioned on at a time."""


class Voice(NamedTuple):
    """What decides how something is spoken."""

    speaker: int
    """Row of the speaker table."""
    temperature: float
    seed: int


def convert_in_parts(
    codec: "Codec", blocks: Iterable[np.ndarray], gain: float, voice: Voice, heard: "Heard"
) -> Iterator[np.ndarray]:
    """Blocks of samples `[T]`, times `gain` -> blocks of converted samples, as many in all.

    The parts, cut at pauses, are decoded beside each other, each from a little before its beginning, so that no seam
    is heard. `heard(seconds)` is called with the seconds done so far.
    """
    blocks, count = _counted(blocks)
    decoder = codec.model.decoder
    rate = codec.sample_rate / codec.hop
    # The decoder has forgotten its start when it comes to the part itself.
    warm_up = -(-decoder.receptive_field // codec.hop)
    margin = warm_up + codec.model.prepare.context
    shortest = max(margin, round(PART_SECONDS * rate))
    parts = enumerate(cut_at_pauses(codec.coded(blocks, gain), shortest, margin))

    def converted() -> Iterator[np.ndarray]:
        done = 0
        while group := list(islice(parts, PARTS)):
            spoken = [part for _, part in group]
            frames = [
                codec.conditioning(part.samples, voice.speaker, slice(max(0, part.first - warm_up), part.last))
                for part in spoken
            ]
            size = sum(part.last - part.first for part in spoken)

            def tell(share: float, size: int = size, done: int = done) -> None:
                heard((done + size * share) / rate)

            seeds = [(voice.seed + number) % 2**64 for number, _ in group]
            waveforms = codec.speak(frames, voice.temperature, seeds, tell)
            for part, waveform in zip(spoken, waveforms, strict=True):
                yield waveform[min(part.first, warm_up) * codec.hop :]
            done += size

    return _trimmed(converted(), count)


def convert_in_stream(
    codec: "Codec",
    blocks: Iterable[np.ndarray],
    gain: float,
    voice: Voice,
    heard: "Heard",
    live: int | None = None,
) -> Iterator[np.ndarray]:
    """Do as `convert_in_parts` does, but as one stream.

    With `live` so many frames are encoded at a time and spoken as soon as can be.
    """
    blocks, count = _counted(blocks)
    stretch = live or max(1, round(STREAM_SECONDS * codec.sample_rate / codec.hop))
    context = codec.model.prepare.context
    # So many fewer at first, and what has been encoded is always enough for the next stretch and its context.
    lead = max(1, stretch - context)
    units = (units for units, _ in codec.coded(blocks, gain, live))
    found = windows(units, 1, stretch, context, lead)
    conditioning = (codec.conditioning(w.samples, voice.speaker, w.frames).t().unsqueeze(0) for w in found)
    generator = torch.Generator().manual_seed(voice.seed)

    def converted() -> Iterator[np.ndarray]:
        done = 0
        for block in stream(codec.model.decoder, conditioning, voice.temperature, [generator], codec.sampler):
            done += block.shape[1]
            heard(done / codec.sample_rate)
            yield block[0].cpu().numpy()

    return _trimmed(converted(), count)


def _counted(blocks: Iterable[np.ndarray]) -> tuple[Iterator[np.ndarray], Callable[[], int]]:
    """The blocks, and a function that tells how many samples have been taken so far."""
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for block in blocks:
            taken += len(block)
            yield block

    return counted(), lambda: taken


def _trimmed(converted: Iterator[np.ndarray], taken: Callable[[], int]) -> Iterator[np.ndarray]:
    """Leave out what the last unit speaks past the end of the signal."""
    given = 0
    for block in converted:
        # What is decoded has been read before.
        block = block[: taken() - given]
        given += len(block)
        yield block
