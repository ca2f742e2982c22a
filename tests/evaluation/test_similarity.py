import numpy as np
import pytest
from scipy.signal import lfilter

from vqspeech.evaluation.similarity import Voices, voice

RATE = 16000


def speaker(pitch: float, formant: float, seed: int) -> np.ndarray:
    """One second of a pulse train through a resonance, with a little noise."""
    period = round(RATE / pitch)
    pulses = np.zeros(RATE)
    pulses[::period] = 1.0
    radius, angle = 0.97, 2 * np.pi * formant / RATE
    resonance = lfilter([1.0], [1.0, -2 * radius * np.cos(angle), radius**2], pulses)
    noise = np.random.default_rng(seed).normal(0, 0.01, RATE)
    return (0.05 * (resonance + noise)).astype(np.float32)


VOICES = {"low": (100, 500), "middle": (160, 900), "high": (230, 1500)}


@pytest.fixture(scope="module")
def voices() -> Voices:
    return Voices({name: [voice(speaker(*kind, seed), RATE) for seed in range(3)] for name, kind in VOICES.items()})


@pytest.mark.parametrize("name", VOICES)
def test_new_speech_is_most_similar_to_its_own_speaker(voices, name):
    heard = voice(speaker(*VOICES[name], seed=9), RATE)
    similarity = {other: voices.similarity(heard, other) for other in voices.speakers}
    assert max(similarity, key=similarity.get) == name
    assert similarity[name] > 0.7
    assert max(value for other, value in similarity.items() if other != name) < 0.3


def test_similarity_knows_no_loudness(voices):
    heard = speaker(*VOICES["low"], seed=9)
    loud, quiet = (voices.similarity(voice(gain * heard, RATE), "low") for gain in (1.0, 0.1))
    assert loud == pytest.approx(quiet, abs=0.02)


def test_a_speaker_may_be_added_later(voices):
    voices.add("new", [voice(speaker(300, 2500, seed=1), RATE)])
    heard = voice(speaker(300, 2500, seed=2), RATE)
    assert max(voices.speakers, key=lambda name: voices.similarity(heard, name)) == "new"


def test_speech_without_pitch_has_a_similarity(voices):
    whisper = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert -1.0 <= voices.similarity(voice(whisper, RATE), "low") <= 1.0
