"""Data dirs of a few seconds of made-up voices, for tests that need audio on disk but not speech."""

from pathlib import Path

import numpy as np

from vqspeech import audio
from vqspeech.data.kaldi import DataDir, write_data_dir

RATE = 16000


def voice(pitch: float, seconds: float, seed: int) -> np.ndarray:
    """A buzz of this pitch whose timbre and loudness wander."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    knots = np.linspace(0, seconds, 12)
    wave = sum(
        np.interp(time, knots, rng.uniform(0, 1, 12)) * np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 9)
    )
    return (0.1 * wave + 0.002 * rng.standard_normal(len(time))).astype(np.float32)


def make_data_dir(
    path: Path, speakers: tuple[str, ...] = ("a", "b"), utterances: int = 3, seconds: float = 0.6
) -> DataDir:
    """Write a data dir with its FLAC files beside it."""
    wavs, utt2spk, durations = {}, {}, {}
    for i, speaker in enumerate(speakers):
        for j in range(utterances):
            id = f"{speaker}_{j:03d}"
            file = path.parent / f"{path.name}-wav" / f"{id}.flac"
            audio.write(file, voice(100 + 80 * i, seconds, seed=10 * i + j), RATE)
            wavs[id], utt2spk[id], durations[id] = file.absolute(), speaker, seconds
    data = DataDir(path, wavs, utt2spk, utt2dur=durations)
    write_data_dir(data)
    return data
