"""Does a copy sound like its own source? A choice between the source and other recordings, in log-mel."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, mean_of
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.selection import by_hash

BANDS = 80
WINDOW_SECONDS = 0.050
HOP_SECONDS = 0.0125
DYNAMIC_RANGE_DB = 60.0


@dataclass(frozen=True)
class NearestSource:
    """How often a copy is nearer to its own source than to each of `choices - 1` others."""

    accuracy: float
    accuracy_interval: Interval
    chance: float
    choices: int
    copies: int
    distance: float
    """Mean distance of a copy to its own source, in dB."""
    distance_interval: Interval
    other_distance: float
    """Mean distance of a copy to the other choices, in dB."""
    other_distance_interval: Interval


def nearest_source(
    copies: Mapping[str, np.ndarray], sources: Mapping[str, np.ndarray], sample_rate: int, choices: int = 20
) -> NearestSource:
    """Let every copy choose among its own source and `choices - 1` others of `sources`, picked by hash.

    Waveforms [T] by utterance; `sources` holds every key of `copies`. With fewer sources than `choices` the
    choice is among all of them. Raises CannotMeasure when there is nothing to choose between.
    """
    choices = min(choices, len(sources))
    if choices < 2 or not copies:
        raise CannotMeasure("a choice needs a copy and two sources")
    mels = {name: log_mel(waveform, sample_rate) for name, waveform in sources.items()}
    own, others = [], []
    for name, copy in copies.items():
        mel = log_mel(copy, sample_rate)
        rivals = by_hash((other for other in sources if other != name), salt=f"{name} ")[: choices - 1]
        own.append(distance(mel, mels[name]))
        others.append([distance(mel, mels[rival]) for rival in rivals])
    return NearestSource(
        **mean_of("accuracy", np.array(own) < np.min(others, axis=1)),
        **mean_of("distance", own),
        **mean_of("other_distance", np.mean(others, axis=1)),
        chance=1 / choices,
        choices=choices,
        copies=len(copies),
    )


def log_mel(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """80-band mel spectrogram [frames, 80] in dB under its own loudest point, cut off at -60 dB."""
    import librosa

    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=sample_rate,
        n_fft=round(WINDOW_SECONDS * sample_rate),
        hop_length=round(HOP_SECONDS * sample_rate),
        n_mels=BANDS,
    )
    return librosa.power_to_db(power, ref=np.max, top_db=DYNAMIC_RANGE_DB).T


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Mean absolute difference in dB of two log-mels [frames, bands], frame by frame over the shorter one."""
    common = min(len(a), len(b))
    return float(np.abs(a[:common] - b[:common]).mean())
