"""The Python API in one page: a recording to units, and back to speech in every voice that the model knows.

python egs/quickstart.py recipes/vctk/exp/miniature_tiny a.wav
"""

import sys
from pathlib import Path

import vqspeech
from vqspeech import audio


def main(model: Path, recording: Path) -> None:
    """Print the units of a recording; write them in each of the first three voices, but keep files that exist."""
    codec = vqspeech.load(model)
    print(f"{codec.codes} units, {codec.sample_rate / codec.hop:g} a second, {len(codec.speakers)} voices")

    waveform = audio.read(recording, codec.sample_rate)  # [T], any format and rate resampled to the model's
    units = codec.encode(waveform)  # [ceil(T / hop)], each from 0 to codec.codes - 1
    print("units:", *units[:16], "...")

    wavs = {voice: Path(f"{recording.stem}_{voice}.wav") for voice in codec.speakers[:3]}
    voices = [voice for voice, out in wavs.items() if not out.exists()]
    # One voice is `codec.decode(units, "x01")`, and both steps at once `codec.convert(waveform, "x01")`.
    for voice, spoken in zip(voices, codec.decode_batch([units] * len(voices), voices), strict=True):
        audio.write(wavs[voice], spoken, codec.sample_rate)
    for voice, out in wavs.items():
        print(out if voice in voices else f"{out} (kept as it was)")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} MODEL RECORDING")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
