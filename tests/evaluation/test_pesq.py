import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech.evaluation.pesq import wideband_pesq

pytest.importorskip("pesq", reason="the optional judge is not installed")


def test_a_copy_without_loss_has_the_highest_score_and_noise_lowers_it() -> None:
    said = voice(150, 2.0, seed=1)
    noise = np.random.default_rng(0).standard_normal(len(said)).astype(np.float32)
    scores = [wideband_pesq(said + level * noise, said, RATE)["pesq"] for level in (0.0, 0.003, 0.1)]
    assert scores[0] == pytest.approx(
        4.644, abs=0.001
    )  # of P.862.2's mapping, 0.999 + 4 / (1 + exp(-1.3669 * 4.5 + 3.8224))
    assert scores[0] > scores[1] > scores[2] > 1.0
    # The scale of levels and the rate do not matter.
    assert wideband_pesq(0.5 * said, said, RATE)["pesq"] == pytest.approx(scores[0], abs=0.01)


@pytest.mark.parametrize("seconds", [0.05, 0.2])
def test_what_is_too_short_has_no_score(seconds: float) -> None:
    said = voice(150, seconds, seed=1)
    assert wideband_pesq(said, said, RATE) is None


def test_silence_has_no_score() -> None:
    said = voice(150, 1.0, seed=1)
    for copy, source in ((0 * said, said), (said, 0 * said)):
        assert wideband_pesq(copy, source, RATE) is None
