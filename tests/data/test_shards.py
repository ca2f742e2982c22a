"""Shards hold what the files held, to the byte, and are written whole or not at all."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, make_data_dir
from vqspeech import audio
from vqspeech.archive import Member
from vqspeech.audio import Pipe
from vqspeech.data import shards
from vqspeech.data.corpus import read_corpus
from vqspeech.data.kaldi import DataDir, read_data_dir, validate_data_dir
from vqspeech.data.prepare import prepare
from vqspeech.data.shards import write_shards
from vqspeech.errors import VqspeechError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """Six utterances, for three shards of two each."""
    data = make_data_dir(tmp_path / "data", seconds=0.1)
    monkeypatch.setattr(shards, "SHARD_BYTES", 1025 + max(path.stat().st_size for path in data.wavs.values()))
    return data


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_shards_are_plain_tar_archives_of_the_recordings(data: DataDir, tmp_path: Path) -> None:
    write_shards(data, tmp_path / "dump", tmp_path / "out")
    found = {}
    for path in sorted((tmp_path / "dump").iterdir()):
        with tarfile.open(path) as tar:
            found |= {member.name: (path, member.offset_data, tar.extractfile(member).read()) for member in tar}
    assert list(found) == [f"{id}.flac" for id in data.utterances]
    assert len({path for path, _, _ in found.values()}) == 3
    sharded = read_data_dir(tmp_path / "out")
    for id, source in data.wavs.items():
        path, offset, content = found[f"{id}.flac"]
        assert content == source.read_bytes()
        assert sharded.wavs[id] == Member(path, offset, id)
    validate_data_dir(tmp_path / "out")
    assert replace(sharded, path=data.path, wavs=data.wavs) == data


def test_shards_are_a_corpus_too(data: DataDir, tmp_path: Path) -> None:
    write_shards(data, tmp_path / "dump", tmp_path / "sharded")
    for name in ("data", "sharded"):
        prepare(read_corpus(tmp_path / name), tmp_path / name / "splits", tmp_path / f"{name}-dump")
    made = sorted((tmp_path / "sharded-dump").rglob("*.flac"))
    assert [path.stem for path in made] == data.utterances
    for path in made:
        other = tmp_path / "data-dump" / path.relative_to(tmp_path / "sharded-dump")
        assert np.array_equal(audio.read(path, RATE), audio.read(other, RATE))


def test_an_interrupted_call_goes_on(data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shards(data, tmp_path / "whole", tmp_path / "out-whole")
    hidden = data.wavs["b_000"].rename(tmp_path / "hidden")
    with pytest.raises(VqspeechError, match=r"b_000: no audio file .*b_000\.flac"):
        write_shards(data, tmp_path / "dump", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (first,) = (tmp_path / "dump").iterdir()
    made = first.stat().st_mtime_ns
    hidden.rename(data.wavs["b_000"])
    write_shards(data, tmp_path / "dump", tmp_path / "out")
    assert first.stat().st_mtime_ns == made
    assert contents(tmp_path / "dump") == contents(tmp_path / "whole")


def test_shards_of_other_recordings_stay(data: DataDir, tmp_path: Path) -> None:
    write_shards(data, tmp_path / "dump", tmp_path / "out")
    before = contents(tmp_path / "dump")
    other = data.subset(data.utterances[1:])
    with pytest.raises(VqspeechError, match=r"000000\.tar: holds other recordings than .*data; remove it or choose"):
        write_shards(other, tmp_path / "dump", tmp_path / "other")
    assert contents(tmp_path / "dump") == before and not (tmp_path / "other").exists()


def test_nothing_is_done_where_the_data_dir_cannot_be_written(data: DataDir, tmp_path: Path) -> None:
    with pytest.raises(VqspeechError, match=r"cannot write .*data: it exists already"):
        write_shards(data, tmp_path / "dump", data.path)
    assert not (tmp_path / "dump").exists()


def test_what_cannot_be_copied_is_named(data: DataDir, tmp_path: Path) -> None:
    for source in (Pipe("cat a.wav"), Member(tmp_path / "a.tar", 512, "a_001")):
        piped = replace(data, wavs=data.wavs | {"a_001": source})
        with pytest.raises(VqspeechError, match="is no file of its own"):
            write_shards(piped, tmp_path / "dump", tmp_path / "out")
    long = "a_" + "0" * 100
    with pytest.raises(VqspeechError, match=f"{long}: does not fit into a tar archive: name is too long"):
        write_shards(replace(data, wavs={long: data.wavs["a_000"]}), tmp_path / "dump", tmp_path / "out")


def test_a_recording_that_changes_meanwhile_is_named(
    data: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(source, target, real=shards.shutil.copyfileobj) -> None:
        real(source, target)
        target.write(b"more")

    monkeypatch.setattr(shards.shutil, "copyfileobj", grow)
    with pytest.raises(VqspeechError, match=r"a_000\.flac: changed while it was copied; run it again"):
        write_shards(data, tmp_path / "dump", tmp_path / "out")
    assert not list((tmp_path / "dump").iterdir())
