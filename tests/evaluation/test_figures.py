from pathlib import Path

from matplotlib.image import imread

from tests.speech import RATE, voice
from vqspeech.evaluation.figures import draw_spectrograms


def test_a_picture_with_a_row_for_each_waveform(tmp_path: Path) -> None:
    waveforms = {"source": voice(100, 0.5, seed=0), "copy": voice(200, 0.4, seed=1)}
    draw_spectrograms(tmp_path / "one.png", dict(list(waveforms.items())[:1]), RATE)
    draw_spectrograms(tmp_path / "two.png", waveforms, RATE)
    one, two = imread(tmp_path / "one.png"), imread(tmp_path / "two.png")
    assert two.shape[0] == 2 * one.shape[0]
    assert two.std() > 0.1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "two.png"]
