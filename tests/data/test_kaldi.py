"""Data directories: what is written is read again, and what is wrong is named."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from vqspeech import audio
from vqspeech.audio import Pipe
from vqspeech.data.kaldi import DataDir, main, read_data_dir, validate_data_dir, write_data_dir
from vqspeech.errors import VqspeechError


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    ids = ["b-2", "a-1", "a-3", "é-1"]
    wavs = {id: tmp_path / "a folder" / f"{id}.wav" for id in ids}
    for path in wavs.values():
        audio.write(path, np.zeros(1600), 16000)
    labels = tmp_path / "a-1.phn"
    labels.write_text("0 0.1 pau\n")
    return DataDir(
        tmp_path / "data",
        wavs,
        utt2spk={id: id[0] for id in ids},
        texts={id: f"Text of “{id}”, please." for id in ids},
        spk2gender={"a": "f", "b": "m", "é": "f"},
        utt2dur={id: 0.1 for id in ids},
        utt2offset={id: 0.25 for id in ids},
        labels={"a-1": labels},
    )


def in_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_what_is_written_is_valid_and_read_again(data):
    write_data_dir(data)
    validate_data_dir(data.path)
    assert read_data_dir(data.path) == data
    assert data.utterances == ["a-1", "a-3", "b-2", "é-1"]
    assert data.speakers == ["a", "b", "é"]
    assert in_lines(data.path / "spk2utt") == ["a a-1 a-3", "b b-2", "é é-1"]
    assert in_lines(data.path / "utt2dur")[0] == "a-1 0.100000"


def test_every_file_is_sorted_as_the_sort_command_sorts(data):
    write_data_dir(data)
    files = list(data.path.iterdir())
    assert {file.name for file in files} == {
        *("wav.scp", "utt2spk", "spk2utt", "text", "spk2gender", "utt2dur", "utt2offset", "labels.scp")
    }
    for file in files:
        subprocess.run(["sort", "--check", "--unique", "-k1,1", file], check=True, env=os.environ | {"LC_ALL": "C"})
        assert file.read_bytes().endswith(b"\n")
    by_speaker = ["sort", "--check", "-k2", data.path / "utt2spk"]
    subprocess.run(by_speaker, check=True, env=os.environ | {"LC_ALL": "C"})


def test_a_subset_leaves_no_trace_of_the_rest(data):
    write_data_dir(data)
    subset = read_data_dir(data.path).subset(["b-2", "é-1"], data.path.with_name("subset"))
    write_data_dir(subset)
    validate_data_dir(subset.path)
    for file in subset.path.iterdir():
        assert "a-" not in file.read_text(encoding="utf-8")
    assert read_data_dir(subset.path).spk2gender == {"b": "m", "é": "f"}


def test_only_wav_scp_and_utt2spk_are_needed(data):
    write_data_dir(DataDir(data.path, data.wavs, data.utt2spk))
    validate_data_dir(data.path)
    read = read_data_dir(data.path)
    assert read.texts == read.spk2gender == read.utt2dur == read.utt2offset == read.labels == {}


def test_genders_that_are_not_all_known_are_not_written(data):
    write_data_dir(DataDir(data.path, data.wavs, data.utt2spk, spk2gender={"a": "f"}))
    validate_data_dir(data.path)
    assert not (data.path / "spk2gender").exists()


def test_tabs_and_relative_paths_are_read(data, monkeypatch):
    write_data_dir(data.subset(["a-1"]))
    (data.path / "wav.scp").write_text("a-1\ta folder/a-1.wav\n")
    monkeypatch.chdir(data.path.parent)
    validate_data_dir(data.path)


FAULTS = {
    "unsorted": ("utt2spk", "a-1 a\n", "", "a-3 a\n", "a-3 a\na-1 a\n", "utt2spk:2: a-1 comes after a-3"),
    "doubled": ("text", "a-3 ", "a-3 Once.\na-3 ", "", "", "text:3: a-3 occurs a second time"),
    "unsafe": ("wav.scp", "a-1 ", "../../x ", "", "", "wav.scp:1: .*'../../x'"),
    "blank line": ("text", "a-3 ", "\na-3 ", "", "", "text:2: "),
    "no end": ("utt2spk", "é-1 é\n", "é-1 é", "", "", "utt2spk:4: the last line has no end"),
    "unknown utterance": ("text", "b-2 ", "b-1 Who?\nb-2 ", "", "", "text:3: b-1: not in wav.scp"),
    "speaker missing": ("utt2spk", "a-3 a\n", "", "", "", "wav.scp:2: a-3: not in utt2spk"),
    "text missing": ("text", "a-1 Text of “a-1”, please.\n", "", "", "", "wav.scp:1: a-1: not in text"),
    "text empty": ("text", "a-1 Text of “a-1”, please.\n", "a-1\n", "", "", "text:1: a-1: no text"),
    "reserved word": ("text", "a-1 Text", "a-1 <s>", "", "", "text:1: a-1: <s> "),
    "pipe": ("wav.scp", "a-3.wav", "a-3.wav |", "", "", "wav.scp:2: a-3: a pipe .*--allow-pipes"),
    "no file": ("wav.scp", "a-3.wav", "a-4.wav", "", "", "wav.scp:2: a-3: no audio file .*a-4.wav"),
    "no file name": ("wav.scp", "a-3.wav", "a\0-3.wav", "", "", r"wav.scp:2: a-3: .*a\\x00-3\.wav' is no file name"),
    "no label file": ("labels.scp", ".phn", ".lab", "", "", "labels.scp:1: a-1: no file .*a-1.lab"),
    "not a number": ("utt2dur", "a-1 0.1", "a-1 long", "", "", "utt2dur:1: a-1: .*long"),
    "no duration": ("utt2dur", "a-1 0.1", "a-1 0.0", "", "", "utt2dur:1: a-1: .*longer than 0"),
    "endless": ("utt2dur", "a-1 0.100000", "a-1 inf", "", "", "utt2dur:1: a-1: inf"),
    "duration missing": ("utt2dur", "a-1 0.100000\n", "", "", "", "wav.scp:1: a-1: not in utt2dur"),
    "gender": ("spk2gender", "a f", "a F", "", "", "spk2gender:1: a: 'F' is neither f nor m"),
    "gender missing": ("spk2gender", "a f\n", "", "", "", "spk2gender: .*not those of utt2spk"),
    "not a prefix": ("utt2spk", "a-1 a", "a-1 b", "", "", "utt2spk:1: a-1: does not begin with its speaker b"),
    "spk2utt": ("spk2utt", "a a-1 a-3", "a a-1", "", "", "spk2utt: does not agree with utt2spk"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_by_file_line_and_reason(data, fault):
    name, old, new, old_2, new_2, message = FAULTS[fault]
    write_data_dir(data)
    text = (data.path / name).read_text(encoding="utf-8")
    assert old in text
    changed = text.replace(old, new, 1)
    (data.path / name).write_text(changed.replace(old_2, new_2, 1) if old_2 else changed, encoding="utf-8")
    with pytest.raises(VqspeechError, match=message) as caught:
        validate_data_dir(data.path)
    assert str(data.path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["wav.scp", "utt2spk", "spk2utt"])
def test_a_file_that_must_be_there_is_missed(data, name):
    write_data_dir(data)
    (data.path / name).unlink()
    with pytest.raises(VqspeechError, match=rf"{name}: No such file"):
        validate_data_dir(data.path)


def test_ids_that_sort_against_their_speakers_are_named(tmp_path):
    for name in ("s1_1", "s12_1"):
        audio.write(tmp_path / f"{name}.wav", np.zeros(1600), 16000)
    wavs = {name: tmp_path / f"{name}.wav" for name in ("s1_1", "s12_1")}
    write_data_dir(DataDir(tmp_path / "data", wavs, {"s1_1": "s1", "s12_1": "s12"}))
    with pytest.raises(VqspeechError, match=r"utt2spk:2: s1_1: breaks the order of the speakers; call it s1-"):
        validate_data_dir(tmp_path / "data")


def test_segments_are_refused(data):
    write_data_dir(data)
    (data.path / "segments").write_text("a-1-1 a-1 0 1\n")
    with pytest.raises(VqspeechError, match="segments are not supported"):
        read_data_dir(data.path)


def test_text_that_is_not_utf8_is_refused(data):
    write_data_dir(data)
    (data.path / "text").write_bytes(b"a-1 caf\xe9\n")
    with pytest.raises(VqspeechError, match="text: not UTF-8"):
        read_data_dir(data.path)


def test_a_pipe_is_read_as_a_pipe_when_allowed(data):
    write_data_dir(data.subset(["a-1"]))
    (data.path / "wav.scp").write_text("a-1 cat x.wav | sox - -t wav - |\n")
    assert read_data_dir(data.path, allow_pipes=True).wavs == {"a-1": Pipe("cat x.wav | sox - -t wav -")}
    validate_data_dir(data.path, allow_pipes=True)


def test_the_validator_is_a_command(data, capsys):
    write_data_dir(data)
    assert main([str(data.path)]) == 0
    (data.path / "utt2spk").write_text("a-1 a\n")
    assert main([str(data.path)]) == 1
    assert capsys.readouterr().err == f"{data.path}/wav.scp:2: a-3: not in utt2spk\n"
