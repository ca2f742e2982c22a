"""Both forms of a TextGrid as Praat writes them, read as what they say."""

from pathlib import Path

import pytest

from vqspeech.data.labels import Phone, find_labels, read_labels
from vqspeech.errors import VqspeechError

LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "say ""10"""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 0.5
        points: size = 1
        points [1]:
            number = 0.25
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "p225 - phones"
        xmin = 0
        xmax = 0.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.125
            text = ""
        intervals [2]:
            xmin = 0.125
            xmax = 0.25
            text = "AH0"
        intervals [3]:
            xmin = 0.25
            xmax = 5e-1
            text = "spn"
'''
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.5
<exists>
1
"IntervalTier"
"any name"
0
0.5
3
0
0.125
""
0.125
0.25
"AH0"
0.25
0.5
"spn"
"""
PHONES = [Phone(0.0, 0.125, "sil"), Phone(0.125, 0.25, "AH"), Phone(0.25, 0.5, "spn")]


@pytest.mark.parametrize("text", [LONG, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_tier_of_phones_is_read(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "p225_001.TextGrid"
    path.write_text(text, encoding=encoding)
    assert read_labels(path) == PHONES
    assert find_labels(tmp_path) == {"p225_001": path}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LONG.replace("p225 - phones", "marks"), r"a\.TextGrid: 0 tiers of phones, by the names words, marks"),
        (LONG.replace('"words"', '"phones"'), "2 tiers of phones"),
        (LONG[:-60], "a damaged TextGrid"),
        (SHORT.replace("0.125\n0.25", "0.1\n0.25"), r"a\.TextGrid, interval 2: a phone from 0\.1 to 0\.25 s overlaps"),
        (SHORT.replace("TextGrid", "Sound 2"), "no TextGrid in text form"),
        ("ooBinaryFile\x08TextGrid", "a damaged TextGrid"),
        (SHORT.replace("<exists>", "<absent>"), "0 tiers of phones, by the names of none"),
    ],
)
def test_what_is_none_is_told_in_a_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.TextGrid").write_text(text)
    with pytest.raises(VqspeechError, match=says):
        read_labels(tmp_path / "a.TextGrid")
