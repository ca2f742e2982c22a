"""What the model makes of one recording: a copy, a conversion, and the units that both are spoken from."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.errors import VqspeechError
from vqspeech.parallel import in_order

LONGEST_SECONDS = 20.0
SHORTEST_SECONDS = 0.1
LEAST_DBFS = -60.0
"""The speech of a recording is at least so loud."""


@dataclass(frozen=True)
class Rendition:
    """Waveforms `[T]` at the model's rate, as loud as each other, and the units `[N]` of the source."""

    source: np.ndarray
    copy: np.ndarray
    conversion: np.ndarray
    units: np.ndarray


def render(codec: Codec, recording: Path, copy_voice: str, voice: str) -> Rendition:
    """Speak a recording's units in the voice that is to be its own, and in another.

    Raises VqspeechError for a recording that is too long, too short, silent or unreadable.
    """
    source = _read(recording, codec.sample_rate)

    with TemporaryDirectory() as folder:

        def speak(speaker: str) -> np.ndarray:
            out = Path(folder) / f"{speaker}.wav"
            codec.convert_file(recording, speaker, out)
            return audio.read(out, codec.sample_rate)

        voices = dict.fromkeys((copy_voice, voice))
        spoken = dict(zip(voices, in_order(speak, voices), strict=True))
    return Rendition(source, spoken[copy_voice], spoken[voice], codec.encode(source))


def _read(path: Path, sample_rate: int) -> np.ndarray:
    """Samples `[T]` of a recording that is worth converting."""
    blocks, length = [], 0
    for block in audio.read_blocks(path, sample_rate):
        blocks.append(block)
        length += len(block)
        if length > LONGEST_SECONDS * sample_rate:
            raise VqspeechError(
                f"{path}: longer than {LONGEST_SECONDS:.0f} s; cut it, or give it to vqspeech-convert, which takes any "
                "length"
            )
    if length < SHORTEST_SECONDS * sample_rate:
        raise VqspeechError(f"{path}: shorter than {SHORTEST_SECONDS:g} s")
    waveform = np.concatenate(blocks)
    if audio.measure_level([waveform], sample_rate).speech < 10 ** (LEAST_DBFS / 20):
        raise VqspeechError(f"{path}: silent; nothing in it is louder than {LEAST_DBFS:.0f} dBFS")
    return waveform
