"""What long recordings take: hours encoded and converted, by commands of their own, with their peak memory."""

import sys
import tempfile
from itertools import cycle
from pathlib import Path

import soundfile
from commands import measure
from contest import Result

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.data.kaldi import DataDir

ENCODE = """
import sys
import vqspeech
from vqspeech import audio
codec = vqspeech.load(sys.argv[1])
for _ in codec.encode_blocks(audio.read_blocks(sys.argv[2], codec.sample_rate)):
    pass
"""


def results(codec: Codec, model: Path, data: DataDir, encode_hours: float, convert_hours: float) -> list[Result]:
    """Seconds and MiB of encoding and of converting a FLAC file, the utterances of `data` over and over."""
    with tempfile.TemporaryDirectory() as folder:
        long, out = Path(folder) / "long.flac", Path(folder) / "out.wav"
        write_long(long, data, encode_hours, codec.sample_rate)
        encoded = measure([sys.executable, "-c", ENCODE, str(model), str(long)])
        write_long(long, data, convert_hours, codec.sample_rate)
        convert = ["--model", str(model), "--src", str(long), "--speaker", codec.speakers[0], "--out", str(out)]
        converted = measure([sys.executable, "-m", "vqspeech.cli.convert", *convert])
    return [
        _result(f"{encode_hours:g} h of speech", "encoded", *encoded, encode_hours),
        _result(f"{convert_hours:g} h of speech", "vqspeech-convert", *converted, convert_hours),
    ]


def write_long(path: Path, data: DataDir, hours: float, rate: int) -> None:
    """Write the utterances of a data dir one after another, over and over, until so many hours are full."""
    left = round(hours * 3600 * rate)
    with soundfile.SoundFile(path, "w", rate, 1, format="FLAC", subtype="PCM_16") as file:
        for utterance in cycle(data.utterances):
            waveform = audio.read(data.wavs[utterance], rate)[:left]
            file.write(waveform)
            left -= len(waveform)
            if not left:
                break


def _result(contest: str, name: str, seconds: float, memory: float, hours: float) -> Result:
    note = f"{hours * 3600 / seconds:.3g} x real time, {memory:.0f} MiB at most"
    return Result(contest, name, "s", seconds, seconds, seconds, note)
