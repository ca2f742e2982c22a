"""One recording in another voice, file to file."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

import numpy as np

from vqspeech import audio
from vqspeech.conversion.loudness import silence_threshold, silenced

if TYPE_CHECKING:
    from vqspeech.codec import Codec, Heard


def convert_file(
    codec: "Codec",
    source: Path,
    speaker: str,
    out: Path,
    temperature: float | None,
    seed: int,
    cut: bool,
    heard: "Heard | None",
) -> None:
    """What `Codec.convert_file` does."""
    rate = codec.sample_rate
    # The source is read once for its level and again for each use, which costs little beside the decoding.
    level = audio.measure_level(audio.read_blocks(source, rate), rate)
    converted = codec.convert_blocks(
        audio.read_blocks(source, rate), speaker, level.gain, temperature, seed, cut=cut, heard=heard
    )
    quiet = silenced(converted, audio.read_blocks(source, rate), rate, silence_threshold(level.gain))
    with TemporaryFile() as spool:
        own = audio.measure_level(_spooled(quiet, spool), rate)
        gain = np.float32(min(level.speech / own.speech, audio.PEAK / own.peak) if own.speech else 1.0)
        audio.write(out, (block * gain for block in _blocks(spool, rate)), rate)


def _spooled(blocks: Iterable[np.ndarray], spool: IO[bytes]) -> Iterator[np.ndarray]:
    for block in blocks:
        spool.write(np.asarray(block, np.float32).tobytes())
        yield block


def _blocks(spool: IO[bytes], rate: int) -> Iterator[np.ndarray]:
    """What has been spooled, a second at a time."""
    spool.seek(0)
    while held := spool.read(4 * rate):
        yield np.frombuffer(held, np.float32)
