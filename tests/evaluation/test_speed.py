from itertools import count

import numpy as np
import pytest

from vqspeech.evaluation import speed


class Clockwork:
    """A codec that takes 0.25 s to encode and 2 s to decode a second of audio, by a clock of its own."""

    sample_rate, hop = 1000, 10

    def __init__(self, monkeypatch):
        self.now = 0.0
        self.set_up = 100.0
        monkeypatch.setattr(speed.time, "perf_counter", lambda: self.now)

    def encode(self, waveform, level):
        assert not level  # the audio of a data dir is levelled already
        self.now += self.set_up + 0.25 * len(waveform) / self.sample_rate
        self.set_up = 0.0

    def decode(self, units, speaker):
        self.now += self.set_up + 2.0 * len(units) * self.hop / self.sample_rate
        self.set_up = 0.0


def test_encoding_and_sampling_are_timed_without_set_up(monkeypatch):
    assert speed.encoding_factor(Clockwork(monkeypatch), [np.zeros(500), np.zeros(1500)]) == pytest.approx(0.25)
    assert speed.sampling_factor(Clockwork(monkeypatch), np.zeros(100, dtype=int), "a") == pytest.approx(2.0)


def test_training_is_timed_by_the_median_of_its_log():
    log = [{"split": "train", "samples_per_second": value} for value in (10, 32000, 48000)]
    assert speed.training_factor([*log, {"split": "dev"}], sample_rate=16000) == pytest.approx(0.5)
    assert speed.training_factor([{"split": "dev"}], sample_rate=16000) is None


def test_a_factor_is_work_over_audio(monkeypatch):
    ticks = count(step=3)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(ticks))
    assert speed.real_time_factor(lambda: None, audio_seconds=6.0) == 0.5
