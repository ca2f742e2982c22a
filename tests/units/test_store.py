from pathlib import Path

import numpy as np
import pytest

from vqspeech.errors import VqspeechError
from vqspeech.units.store import read_units, write_units

INFO = {"codes": 16, "hop": 64, "sample_rate": 16000}


def test_round_trip_and_the_text_on_disk(tmp_path: Path) -> None:
    units = {"b_2": np.array([3]), "a_1": np.array([12, 12, 5])}
    write_units(tmp_path, INFO, units)
    assert (tmp_path / "units.txt").read_text() == "a_1 12 12 5\nb_2 3\n"
    back = read_units(tmp_path)
    assert back.info["hop"] == 64
    assert {id: list(codes) for id, codes in back.units.items()} == {"a_1": [12, 12, 5], "b_2": [3]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\na 3\n", "units.txt:2: utterance a stands twice"),
        ("a 1 x\n", r"units.txt:1: expected whole numbers, found \['1', 'x'\]"),
        ("a 1\nb 16\n", "units.txt:2: utterance b: unknown unit 16: there are units 0 to 15"),
        ("a -1\n", "unknown unit -1: there are units 0 to 15"),
        ("a\n", "utterance a has no units"),
        ("a 1\n\nb 2\n", "units.txt:2: an empty line"),
        ("a 1\nb 99999999999999999999\n", "units.txt:2: expected whole numbers"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    write_units(tmp_path, INFO, {})
    (tmp_path / "units.txt").write_text(text)
    with pytest.raises(VqspeechError, match=message):
        read_units(tmp_path)


def test_a_folder_without_units_is_named(tmp_path: Path) -> None:
    with pytest.raises(VqspeechError, match=r"not a units dir: .*units.json is missing"):
        read_units(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", "units.json:1: codes has to be a whole number"),
        (b"[]", "units.json:1: expected an object"),
        (b"[" * 100_000, "units.json:1: not JSON that can be read"),
        (b'{"codes": ' + b"9" * 5000 + b"}", "units.json:1: not JSON that can be read"),
        (
            b'{"codes": 999999999999, "hop": 64, "sample_rate": 16000}',
            "codes has to be .* from 1 to 1048576",
        ),
        (
            b'{"codes": 16,\n"hop": "64",\n"sample_rate": 16000}',
            "units.json:2: hop has to be a whole number .* found '64'",
        ),
        (b'{"codes": 16,\n"hop": }', "units.json:2: not JSON"),
        (b'{\n"codes": "\xff"}', "units.json:2: not UTF-8 text"),
    ],
)
def test_a_bad_description_is_named_by_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    write_units(tmp_path, INFO, {})
    (tmp_path / "units.json").write_bytes(content)
    with pytest.raises(VqspeechError, match=message):
        read_units(tmp_path)


def test_units_that_are_no_text_are_named_by_file_and_line(tmp_path: Path) -> None:
    write_units(tmp_path, INFO, {})
    (tmp_path / "units.txt").write_bytes(b"a 1\nb \xff\n")
    with pytest.raises(VqspeechError, match=r"units.txt:2: not UTF-8 text"):
        read_units(tmp_path)
