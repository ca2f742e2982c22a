from pathlib import Path

import numpy as np
import pytest

from vqspeech.errors import VqspeechError
from vqspeech.units.store import read_units, write_units


def test_round_trip_and_the_text_on_disk(tmp_path: Path) -> None:
    units = {"b_2": np.array([3]), "a_1": np.array([12, 12, 5])}
    write_units(tmp_path, {"codes": 16, "hop": 64}, units)
    assert (tmp_path / "units.txt").read_text() == "a_1 12 12 5\nb_2 3\n"
    back = read_units(tmp_path)
    assert back.info["hop"] == 64
    assert {id: list(codes) for id, codes in back.units.items()} == {"a_1": [12, 12, 5], "b_2": [3]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\na 3\n", "units.txt:2: utterance a stands twice"),
        ("a 1 x\n", "units.txt:1: not a number"),
        ("a 1\nb 16\n", "units.txt:2: utterance b needs units from 0 to 15"),
        ("a -1\n", "needs units from 0 to 15"),
        ("a\n", "utterance a needs units"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    write_units(tmp_path, {"codes": 16}, {})
    (tmp_path / "units.txt").write_text(text)
    with pytest.raises(VqspeechError, match=message):
        read_units(tmp_path)


def test_a_folder_without_units_is_named(tmp_path: Path) -> None:
    with pytest.raises(VqspeechError, match=r"not a units dir: .*units.json is missing"):
        read_units(tmp_path)
