import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech import extras
from vqspeech.evaluation import mos


def test_without_the_judge_the_script_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(extras.NotInstalled, match=r"distillmos, .*fetch_judges\.sh"):
        mos.load_mos(RATE)


def test_a_score_of_one_to_five_the_same_every_time_and_nothing_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distillmos", reason="the optional judge is not installed")
    score = mos.load_mos(RATE)
    waveform = voice(150, 0.5, seed=1)
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    scores = [score(waveform), score(noise)]
    assert all(1 <= one <= 5 for one in scores)
    assert scores[1] < 2  # nobody takes noise for good speech
    assert score(waveform) == scores[0]
    assert capsys.readouterr().out == ""
