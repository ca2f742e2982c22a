"""Conversion of audio that comes through a pipe, as it comes."""

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import soundfile

from vqspeech import audio
from vqspeech.audio import AudioError
from vqspeech.config import HIGHEST_RATE
from vqspeech.conversion.loudness import (
    FRAME_SECONDS,
    HELD_FRAMES,
    LIMITER_SECONDS,
    limited,
    silence_threshold,
    silenced,
)
from vqspeech.errors import UsageError
from vqspeech.files import check_writable
from vqspeech.progress import say

if TYPE_CHECKING:
    from vqspeech.codec import Codec

PIPE = "-"
"""Names stdin and stdout."""
READ_SECONDS = 0.01
"""What is read at a time."""
UNKNOWN_SIZE = 0xFFFFFFFF
MOST_GAIN = 120
"""Decibels; as much as 20 bits have."""


def read_pipe(descriptor: int, sample_rate: int, raw_rate: int | None = None) -> Iterator[np.ndarray]:
    """Read a file descriptor in blocks `[T]` at `sample_rate` as they come; channels are averaged.

    Takes WAV, AU or AIFF, or with `raw_rate` 16-bit little-endian samples of one channel at that rate. What the header
    says of the length is not held against it. Raises AudioError for anything else, and when there are no samples.
    """
    raw = {"samplerate": raw_rate, "channels": 1, "subtype": "PCM_16", "endian": "LITTLE", "format": "RAW"}
    try:
        with soundfile.SoundFile(descriptor, closefd=False, **(raw if raw_rate is not None else {})) as file:
            yield from audio.resampled(_decoded(file), "stdin", file.samplerate, sample_rate)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"stdin: neither WAV, AU nor AIFF ({audio.reason_of(error)}); for bare samples give --raw-rate HZ"
        ) from error


def convert_through_pipe(
    codec: "Codec",
    sources: Sequence[str],
    speakers: Sequence[str],
    out: Path | None,
    raw_rate: int | None = None,
    gain: float = 0.0,
    temperature: float | None = None,
    seed: int = 0,
    force: bool = False,
) -> None:
    """Convert stdin, `-`, or a file, as it comes, to stdout, `-`, or a file.

    `gain` in decibels brings the speech of a pipe to the level of training; a file is measured.
    Raises UsageError for several sources or speakers or no `out`, and otherwise what reading and writing raise.
    """
    if len(sources) != 1 or len(speakers) != 1 or out is None or (sources[0] != PIPE and Path(sources[0]).is_dir()):
        raise UsageError("a pipe takes one file or -, one --speaker, and --out FILE or --out -")
    if raw_rate is not None and not 1 <= raw_rate <= HIGHEST_RATE:
        raise UsageError(f"--raw-rate {raw_rate}: give samples a second, from 1 to {HIGHEST_RATE}")
    if not -MOST_GAIN <= gain <= MOST_GAIN:
        raise UsageError(f"--gain {gain:g}: give decibels, from {-MOST_GAIN} to {MOST_GAIN}")
    rate = codec.sample_rate
    if sources[0] == PIPE:
        factor = 10 ** (gain / 20)
        blocks = read_pipe(sys.stdin.fileno(), rate, raw_rate)
    else:
        factor = audio.level_gain_of_blocks(audio.read_blocks(Path(sources[0]), rate), rate)
        blocks = audio.read_blocks(Path(sources[0]), rate)
    heard, source = tee(blocks)
    converted = at_source_level(codec.convert_live(heard, speakers[0], factor, temperature, seed), source, factor, rate)
    if str(out) == PIPE:
        say(f"{rate} samples a second, each {latency(codec):.3f} s and the time of its work after its source")
        write_pipe(sys.stdout.buffer, converted, rate, raw=raw_rate is not None)
    elif out.exists() and not force:
        say(f"kept {out} as it was; -f makes anew what exists")
    else:
        check_writable(out)
        audio.write(out, converted, rate)
        print(out)


def at_source_level(
    converted: Iterable[np.ndarray], source: Iterable[np.ndarray], gain: float, sample_rate: int
) -> Iterator[np.ndarray]:
    """Blocks `[T]` of a live conversion -> the same as loud as its source, in other blocks `[T]`, as many in all.

    `gain` is what brought the source to `audio.LEVEL_DBFS`; a limiter keeps peaks below `audio.PEAK`. Silence stays
    silence.
    """
    quiet = silenced(converted, source, sample_rate, silence_threshold(gain))
    return limited((block / np.float32(gain) for block in quiet), sample_rate)


def latency(codec: "Codec") -> float:
    """Seconds between a sample that `read_pipe` reads and its conversion, without the time that the work takes."""
    silence = codec.live_frames * codec.hop / codec.sample_rate + (HELD_FRAMES + 1) * FRAME_SECONDS
    return max(codec.latency, silence) + LIMITER_SECONDS + READ_SECONDS


def write_pipe(target: IO[bytes], blocks: Iterable[np.ndarray], sample_rate: int, raw: bool) -> None:
    """Write blocks `[T]` as 16-bit little-endian samples, each at once; unless `raw` behind a header of WAV."""
    for number, block in enumerate(blocks):
        # Where nothing could be read, nothing is written either.
        if number == 0 and not raw:
            target.write(_wav_header(sample_rate))
        target.write(np.round(np.clip(block, -1, 1) * 32767).astype("<i2").tobytes())
        target.flush()


def _wav_header(rate: int) -> bytes:
    """For one channel of 16 bits and a length that nobody knows yet."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE") + form + struct.pack("<4sI", b"data", UNKNOWN_SIZE)


def _decoded(file: soundfile.SoundFile) -> Iterator[np.ndarray]:
    size = max(1, round(READ_SECONDS * file.samplerate))
    while len(block := file.read(size, dtype="float32", always_2d=True)):
        yield block
