import numpy as np
import pytest

from vqspeech.evaluation.mfcc import mfcc, mfcc39
from vqspeech.evaluation.mfcc_kmeans import MfccKMeans

RATE = 16000


def tone(frequency: float, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


@pytest.mark.parametrize("hop", [64, 160, 320, 640])
@pytest.mark.parametrize("length", [1, 639, 640, 641, 16000])
def test_frames_are_as_many_as_codes(hop, length):
    assert mfcc39(np.ones(length, dtype=np.float32), RATE, hop).shape == (-(-length // hop), 39)


@pytest.mark.parametrize("hop", [64, 640])
def test_a_frame_looks_at_the_centre_of_its_samples(hop):
    frame = 20
    waveform = np.zeros(40 * hop, dtype=np.float32)
    waveform[frame * hop + hop // 2] = 1.0
    energy = mfcc(waveform, RATE, hop)[:, 0]
    loud = np.flatnonzero(energy > energy.min() + 1e-3)
    assert loud.mean() == frame


def test_clusters_tell_sounds_apart_and_are_the_same_in_every_run():
    sounds = [tone(300, 0.5), tone(3000, 0.5)]
    first, second = (MfccKMeans(2, RATE, hop=320).fit(sounds) for _ in range(2))
    low, high = first.encode(sounds[0])[3:-3], first.encode(sounds[1])[3:-3]
    assert len(set(low)) == len(set(high)) == 1
    assert low[0] != high[0]
    assert np.array_equal(first.encode(sounds[0]), second.encode(sounds[0]))


def test_a_toy_corpus_may_have_fewer_frames_than_codes():
    assert MfccKMeans(512, RATE, hop=320).fit([tone(300, 0.1)]).encode(tone(300, 0.1)).max() < 5
