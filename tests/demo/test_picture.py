import re

import numpy as np

from tests.speech import RATE, voice
from vqspeech.demo.picture import draw


def test_runs_bear_their_numbers_where_there_is_room() -> None:
    # A frame of 4 ms is 0.04 inches wide, a number 0.075.
    units = np.repeat([7, 3, 12, 5], [100, 1, 2, 397])
    html = draw({"source": voice(120, 2, 0), "voice $x$ <b>": voice(120, 2, 1)}, units, 64, RATE)
    texts = re.findall(r"<text [^>]*font-size: (\d+)px[^>]*>([^<]+)</text>", html)
    assert [text for size, text in texts if size == "7"] == ["7", "12", "5"]
    assert {"source", "voice $x$ &lt;b&gt;"} <= {text for _, text in texts}
    assert "<b>" not in html
    assert html.count("<image ") == 2
