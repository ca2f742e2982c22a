"""Real-time factors: seconds of work per second of audio, so that below 1 is faster than real time."""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speech import Speech

if TYPE_CHECKING:
    from vqspeech.codec import Codec

WARM_UP_SECONDS = 0.1
ENCODED_UTTERANCES = 8
SAMPLED_SECONDS = 2.0


def measure_speed(
    codec: "Codec", speech: Speech, training_log: Sequence[dict[str, Any]], sampling: bool
) -> dict[str, Any]:
    """Real-time factors of training, by its log, of encoding and, if `sampling`, of sampling.

    Timed on the first utterances by hash that can be read: eight to encode, at most two seconds to sample.
    Raises CannotMeasure when there are none.
    """
    readable = speech.read(speech.first(len(speech)))
    waveforms = [waveform for _, waveform in islice(readable, ENCODED_UTTERANCES)]
    if not waveforms:
        raise CannotMeasure(f"none of the utterances of {speech.path} can be read")
    factors = {
        "training": training_factor(training_log, codec.sample_rate),
        "encoding": encoding_factor(codec, waveforms),
    }
    if sampling:
        units = codec.encode(waveforms[0][: round(SAMPLED_SECONDS * codec.sample_rate)], level=False)
        factors["sampling"] = sampling_factor(codec, units, codec.speakers[0])
    return factors


def real_time_factor(work: Callable[[], Any], audio_seconds: float) -> float:
    """Wall-clock seconds that `work` takes per second of the `audio_seconds` it makes or reads."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / audio_seconds


def encoding_factor(codec: "Codec", waveforms: Sequence[np.ndarray]) -> float:
    """Real-time factor of encoding `waveforms` ([T] each) one after the other."""
    codec.encode(waveforms[0], level=False)  # the first call pays for set-up
    seconds = sum(map(len, waveforms)) / codec.sample_rate
    return real_time_factor(lambda: [codec.encode(waveform, level=False) for waveform in waveforms], seconds)


def sampling_factor(codec: "Codec", units: np.ndarray, speaker: str) -> float:
    """Real-time factor of decoding one stream of `units` [N], as a single conversion does."""
    rate = codec.sample_rate / codec.hop
    warm_up = units[: max(1, round(WARM_UP_SECONDS * rate))]
    codec.decode(warm_up, speaker)  # the first call pays for set-up
    return real_time_factor(lambda: codec.decode(units, speaker), len(units) / rate)


def training_factor(training_log: Sequence[dict[str, Any]], sample_rate: int) -> float | None:
    """Real-time factor of training from the median speed in the lines of its log; None without any."""
    speeds = [line["samples_per_second"] for line in training_log if line["split"] == "train"]
    return sample_rate / median(speeds) if speeds else None
