"""Phone label files."""

from pathlib import Path

import pytest

from vqspeech.data.labels import SILENCES, Phone, find_labels, frame_labels, read_labels
from vqspeech.errors import VqspeechError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


EXPECTED = [Phone(0.0, 0.085, "pau"), Phone(0.085, 0.36, "p"), Phone(0.36, 0.39, "l")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.phn", "0.0000 0.0850 pau\n0.0850 0.3600 p\n0.3600 0.3900 l\n"),
        ("a.lab", "         0     850000 pau\n    850000    3600000 p\n   3600000    3900000 l"),
        ("a.lab", "0 850000 x^x-pau+p=l@x_x/A:0\n850000 3600000 x^pau-p+l=iy@1_4\n3600000 3900000 pau^p-l+iy=z@2_3\n"),
    ],
)
def test_seconds_and_hts_units_and_hts_context_are_read_alike(tmp_path, name, text):
    assert read_labels(write(tmp_path / name, text)) == EXPECTED


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("0 0.1 a\n0.1 b\n", 2),
        ("0 0.1 a\n0.1 0.1 b\n", 2),
        ("0 0.2 a\n0.1 0.3 b\n", 2),
        ("-0.1 0.2 a\n", 1),
        ("nan 0.2 a\n", 1),
        ("0.1 inf a\n", 1),
        ("hello\n", 1),
    ],
)
def test_what_is_no_label_is_named_by_file_and_line(tmp_path, text, line):
    with pytest.raises(VqspeechError, match=rf"a\.phn:{line}: "):
        read_labels(write(tmp_path / "a.phn", text))


def test_another_kind_of_file_is_refused(tmp_path):
    with pytest.raises(VqspeechError, match=r"\.phn, \.lab, \.TextGrid"):
        read_labels(write(tmp_path / "a.txt", ""))


@pytest.mark.parametrize(
    ("written", "plain"),
    [("AH0", "AH"), ("ER1", "ER"), ("SIL", "sil"), ("+SPN+", "spn"), ("+NSN+", "nsn"), ("ZH", "ZH"), ("i1", "i1")],
)
def test_arpabet_loses_its_stress_and_silence_its_spelling(tmp_path, written, plain):
    assert read_labels(write(tmp_path / "a.phn", f"0 1 {written}\n")) == [Phone(0.0, 1.0, plain)]


def test_labels_are_found_at_any_depth(tmp_path):
    first = write(tmp_path / "p225" / "p225_001.lab", "")
    second = write(tmp_path / "p226_001.phn", "")
    write(tmp_path / "README.md", "")
    assert find_labels(tmp_path) == {"p225_001": first, "p226_001": second}


def test_of_a_folder_with_plain_and_full_context_labels_the_plain_ones_are_taken(tmp_path):
    write(tmp_path / "lab" / "full" / "p225_001.lab", "")
    plain = write(tmp_path / "lab" / "mono" / "p225_001.lab", "")
    assert find_labels(tmp_path) == {"p225_001": plain}


def test_two_files_of_one_utterance_and_none_at_all_are_errors(tmp_path):
    with pytest.raises(VqspeechError, match="no phone labels"):
        find_labels(tmp_path)
    write(tmp_path / "one" / "a.lab", "")
    write(tmp_path / "two" / "a.phn", "")
    with pytest.raises(VqspeechError, match="second label file of a"):
        find_labels(tmp_path)


def test_silence_is_known_under_its_names_and_no_phone_is_taken_for_it():
    assert {"pau", "sil", "sp", "spn", "#", "_", "", "h#"} <= SILENCES
    arpabet = "aa ae ah ao aw ax ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th uh uw v w y z zh"
    assert not SILENCES & set(arpabet.split())


PHONES = [Phone(0.0, 0.10, "pau"), Phone(0.10, 0.20, "a"), Phone(0.25, 0.30, "b")]


def test_a_frame_has_the_phone_at_its_centre():
    # Centres at 0.02, 0.06, ...: 0.10 begins the phone "a", 0.22 falls in the gap, 0.30 is past the end.
    labels = frame_labels(PHONES, frames=8, frame_seconds=0.04)
    assert labels.tolist() == ["pau", "pau", "a", "a", "a", "", "b", ""]


def test_labels_are_on_the_axis_of_the_untrimmed_file():
    whole = frame_labels(PHONES, frames=30, frame_seconds=0.01)
    trimmed = frame_labels(PHONES, frames=20, frame_seconds=0.01, offset=0.10)
    assert trimmed.tolist() == whole[10:].tolist()
    assert trimmed[0] == "a"


def test_no_labels_leave_every_frame_unnamed():
    assert frame_labels([], frames=3, frame_seconds=0.01).tolist() == ["", "", ""]
