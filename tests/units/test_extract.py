import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import vqspeech
from tests.speech import make_data_dir
from tests.tiny import save_tiny_model, tiny_config
from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.data.kaldi import DataDir, read_data_dir
from vqspeech.data.shards import write_shards
from vqspeech.errors import VqspeechError
from vqspeech.hub import save_pretrained
from vqspeech.models.vqvae import VQVAE
from vqspeech.parallel import Part
from vqspeech.units import extract, store
from vqspeech.units.extract import extract_units
from vqspeech.units.shards import Shards
from vqspeech.units.store import join_units, read_units


def test_units_of_a_data_dir_and_what_they_are(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", seconds=0.11)
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    extract_units(codec, data, tmp_path / "units")
    back = read_units(tmp_path / "units")
    assert list(back.units) == data.utterances
    info = back.info
    assert (info["codes"], info["hop"], info["sample_rate"], info["rate"]) == (16, 64, 16000, 250.0)
    assert len(info["model_sha256"]) == 64
    expected = codec.encode(audio.read(data.wavs["a_001"], 16000), level=False)
    assert np.array_equal(back.units["a_001"], expected)


def test_a_bad_utterance_stops_or_is_counted(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", seconds=0.11)
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    data.wavs["a_001"].write_bytes(b"")
    with pytest.raises(VqspeechError, match=r"utterance a_001: .*empty file"):
        extract_units(codec, data, tmp_path / "units")
    assert not (tmp_path / "units").exists()
    extract_units(codec, data, tmp_path / "units", skip_bad=True)
    back = read_units(tmp_path / "units")
    assert "a_001" not in back.units and len(back.units) == 5
    assert list(back.info["skipped"]) == ["a_001"]


def test_other_units_are_replaced_only_when_forced(tmp_path: Path) -> None:
    test, dev = (make_data_dir(tmp_path / name, utterances=1, seconds=0.11) for name in ("test", "dev"))
    save_tiny_model(tmp_path / "model")
    codec = vqspeech.load(tmp_path / "model")
    extract_units(codec, test, tmp_path / "units")
    extract_units(codec, test, tmp_path / "units")  # the same once more
    with pytest.raises(VqspeechError, match="units of another model or of other data already; replace them with -f"):
        extract_units(codec, dev, tmp_path / "units")
    save_tiny_model(tmp_path / "retrained", ("p225", "p226", "p227"))
    retrained = vqspeech.load(tmp_path / "retrained")
    with pytest.raises(VqspeechError, match="units of another model"):
        extract_units(retrained, test, tmp_path / "units")
    assert read_units(tmp_path / "units").info["data"] == str(test.path)
    extract_units(retrained, test, tmp_path / "units", force=True)
    assert read_units(tmp_path / "units").info["model"] == str(tmp_path / "retrained")


def test_a_model_without_codes_is_refused(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "test", utterances=1, seconds=0.11)
    save_pretrained(tmp_path / "model", VQVAE(tiny_config(name="none").model, 2), ("a", "b"), {})
    with pytest.raises(VqspeechError, match="was trained without codes"):
        extract_units(vqspeech.load(tmp_path / "model"), data, tmp_path / "units")


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model")
    return vqspeech.load(tmp_path / "model")


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    """Six utterances, a_000 to b_002."""
    return make_data_dir(tmp_path / "data", seconds=0.11)


@pytest.fixture
def shards_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "SHARD_UTTERANCES", 2)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def encoded(monkeypatch: pytest.MonkeyPatch, before: Callable[[str], None] = lambda id: None) -> list[str]:
    """Note which utterances are encoded from now on, one after the other, calling `before` with the id of each."""
    noted: list[str] = []
    monkeypatch.setattr("vqspeech.parallel.ThreadPoolExecutor", None)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)

    def encode(codec: Codec, source: Path, real: Callable[..., object] = extract._encode) -> object:
        before(source.stem)
        noted.append(source.stem)
        return real(codec, source)

    monkeypatch.setattr(extract, "_encode", encode)
    return noted


KILLED = """
import os, signal, sys, torch
from pathlib import Path
import vqspeech
from vqspeech.data.kaldi import read_data_dir
from vqspeech.units import extract

def encode(codec, source, real=extract._encode):
    if source.stem == "b_002":
        os.kill(os.getpid(), signal.SIGKILL)
    return real(codec, source)

torch.set_num_threads(1)
extract._encode, extract.SHARD_UTTERANCES = encode, 2
folder = Path(sys.argv[1])
extract.extract_units(vqspeech.load(folder / "model"), read_data_dir(folder / "data"), folder / "units")
"""


def test_a_killed_run_goes_on_in_other_processes_to_the_same_bytes(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    extract_units(codec, data, tmp_path / "whole")
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path])
    assert killed.returncode == -9 and not (tmp_path / "units").exists()
    capsys.readouterr()
    monkeypatch.setattr(extract, "WORTH_A_PROCESS", 1)
    extract_units(codec, data, tmp_path / "units", nj=2)
    assert "4 of 6 utterances are encoded already" in capsys.readouterr().err
    assert files(tmp_path / "units") == files(tmp_path / "whole")
    assert not list(tmp_path.glob(".units*"))


@pytest.mark.parametrize(
    ("utterances", "seconds", "processes"),
    [(2, 400.0, 2), (2, 4000.0, 8), (20, 4.0, 1), (1000, None, 8), (150, None, 2)],
)
def test_there_are_no_more_processes_than_there_is_work_for(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, utterances: int, seconds: float | None, processes: int
) -> None:
    ids = [f"a_{number:03d}" for number in range(utterances)]
    wavs, utt2spk = {id: Path(id) for id in ids}, dict.fromkeys(ids, "a")
    data = DataDir(Path("data"), wavs, utt2spk, utt2dur=dict.fromkeys(ids, seconds) if seconds else {})
    started: list[int] = []

    def apart(work: object, items: Sequence[Path], nj: int) -> Iterator[object]:
        started.append(nj)
        yield from (VqspeechError("not there") for _ in items)

    monkeypatch.setattr(extract, "in_processes", apart)
    with pytest.raises(VqspeechError, match="utterance a_000"):
        extract_units(codec, data, Path("units"), nj=8)
    assert (started or [1]) == [processes]


@pytest.mark.parametrize("stop", ["a_000", "a_001", "a_002", "b_000", "b_002"])
def test_an_interruption_costs_less_than_a_shard(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, shards_of_two: None, stop: str
) -> None:
    def interrupt(id: str) -> None:
        if id == stop:
            raise KeyboardInterrupt

    extract_units(codec, data, tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        encoded(patch, before=interrupt)
        extract_units(codec, data, tmp_path / "units")
    noted = encoded(monkeypatch)
    extract_units(codec, data, tmp_path / "units")
    begun = data.utterances.index(stop)
    assert noted == data.utterances[begun - begun % 2 :]
    assert files(tmp_path / "units") == files(tmp_path / "whole")


@pytest.mark.parametrize(
    ("name", "value", "shards"), [("SHARD_UTTERANCES", 3, 14), ("SHARD_UTTERANCES", 50, 1), ("SHARD_FRAMES", 60, 10)]
)
def test_many_shards_make_the_same_bytes_as_one(
    tmp_path: Path, codec: Codec, monkeypatch: pytest.MonkeyPatch, name: str, value: int, shards: int
) -> None:
    joined: list[int] = []

    def join(folder: Path, info: dict[str, object], parts: Sequence[Path]) -> None:
        joined.append(len(parts))
        join_units(folder, info, parts)

    data = make_data_dir(tmp_path / "data", utterances=20, seconds=0.06)
    data.wavs["b_011"].write_bytes(b"")
    extract_units(codec, data, tmp_path / "whole", skip_bad=True)
    monkeypatch.setattr(extract, name, value)
    monkeypatch.setattr("vqspeech.units.shards.join_units", join)
    extract_units(codec, data, tmp_path / "units", skip_bad=True)
    assert joined == [shards]
    assert files(tmp_path / "units") == files(tmp_path / "whole")
    assert list(read_units(tmp_path / "units").units) == [id for id in data.utterances if id != "b_011"]


def test_shards_of_what_has_changed_are_made_anew(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, shards_of_two: None
) -> None:
    def interrupt(id: str) -> None:
        if id == "b_002":
            raise KeyboardInterrupt

    def interrupted(codec: Codec, **options: bool) -> None:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            encoded(patch, before=interrupt)
            extract_units(codec, data, tmp_path / "units", **options)

    interrupted(codec)
    audio.write(data.wavs["a_002"], 0.1 * np.ones(1000, np.float32), 16000)
    with monkeypatch.context() as patch:
        noted = encoded(patch)
        extract_units(codec, data, tmp_path / "units")
    assert noted == data.utterances[2:]
    assert len(read_units(tmp_path / "units").units["a_002"]) == 16

    # Another model's are not ours to throw away.
    interrupted(codec)
    for name in ("units.txt", "units.json", "utt2spk"):
        (tmp_path / "units" / name).unlink()
    save_tiny_model(tmp_path / "retrained", ("p225", "p226", "p227"))
    retrained = vqspeech.load(tmp_path / "retrained")
    with pytest.raises(VqspeechError, match=r"of another model .* already, begun in .*\.units\.shards; replace them"):
        extract_units(retrained, data, tmp_path / "units")
    noted = encoded(monkeypatch)
    extract_units(retrained, data, tmp_path / "units", force=True)
    assert noted == data.utterances


@pytest.mark.parametrize("jobs", [2, 9])
def test_parts_meet_in_the_same_bytes_whatever_their_order(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, shards_of_two: None, jobs: int
) -> None:
    extract_units(codec, data, tmp_path / "whole")
    noted = encoded(monkeypatch)
    for job in range(jobs, 0, -1):
        extract_units(codec, data, tmp_path / "units", part=Part(job, jobs))
    assert sorted(noted) == data.utterances
    assert not (tmp_path / "units").exists()
    extract_units(codec, data, tmp_path / "units")
    assert len(noted) == len(data.utterances)
    assert files(tmp_path / "units") == files(tmp_path / "whole")
    assert not list(tmp_path.glob(".units*"))


def test_what_parts_left_out_the_whole_encodes(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, shards_of_two: None
) -> None:
    extract_units(codec, data, tmp_path / "whole")
    extract_units(codec, data, tmp_path / "units", part=Part(2, 3))
    # Of another division: its first shard begins within the one that is there.
    extract_units(codec, data, tmp_path / "units", part=Part(2, 2))
    noted = encoded(monkeypatch)
    extract_units(codec, data, tmp_path / "units")
    assert noted == ["a_000", "a_001", "b_001"]
    assert files(tmp_path / "units") == files(tmp_path / "whole")


def test_what_was_skipped_is_an_error_again_without_skip_bad(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch, shards_of_two: None
) -> None:
    data.wavs["a_001"].write_bytes(b"")
    data.wavs["b_001"].write_bytes(b"")
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    with pytest.raises(VqspeechError, match="utterance a_001"):
        extract_units(codec, data, tmp_path / "units")
    with monkeypatch.context() as patch:
        patch.setattr("vqspeech.units.shards.join_units", lambda *_: pytest.fail("joined"))
        with pytest.raises(pytest.fail.Exception):
            extract_units(codec, data, tmp_path / "units", skip_bad=True)
    with pytest.raises(VqspeechError, match="utterance a_001"):
        extract_units(codec, data, tmp_path / "units")
    extract_units(codec, data, tmp_path / "units", skip_bad=True)
    assert list(read_units(tmp_path / "units").info["skipped"]) == ["a_001", "b_001"]


def test_shards_of_audio_give_the_units_of_files(tmp_path: Path, codec: Codec, data: DataDir) -> None:
    write_shards(data, tmp_path / "shards", tmp_path / "sharded")
    for name in ("data", "sharded"):
        extract_units(codec, read_data_dir(tmp_path / name), tmp_path / f"units-{name}")
    assert files(tmp_path / "units-data")["units.txt"] == files(tmp_path / "units-sharded")["units.txt"]


def test_units_that_are_there_are_not_read_to_be_known(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_units(codec, data, tmp_path / "units")
    monkeypatch.setattr("vqspeech.units.store.read_rows", lambda path: pytest.fail("read"))
    extract_units(codec, data, tmp_path / "units")


def test_what_is_no_folder_is_told_before_the_work(tmp_path: Path, codec: Codec, data: DataDir) -> None:
    (tmp_path / "units").touch()
    with pytest.raises(VqspeechError, match="units: is not a folder"):
        extract_units(codec, data, tmp_path / "units", force=True)


def test_a_data_dir_of_bad_utterances_is_an_error_that_leaves_nothing(
    tmp_path: Path, codec: Codec, data: DataDir
) -> None:
    for path in data.wavs.values():
        path.write_bytes(b"")
    with pytest.raises(VqspeechError, match="no utterance could be encoded"):
        extract_units(codec, data, tmp_path / "units", skip_bad=True)
    assert not (tmp_path / "units").exists() and not list(tmp_path.glob(".units*"))


def test_a_second_run_at_once_is_refused_and_never_joins_a_part(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extract, "SHARD_UTTERANCES", 2)
    encode = extract._encode

    def meanwhile(own: Codec, source: audio.Source) -> object:
        with pytest.raises(VqspeechError, match="in use by process"):
            extract_units(codec, data, tmp_path / "units")
        return encode(own, source)

    monkeypatch.setattr(extract, "_encode", meanwhile)
    extract_units(codec, data, tmp_path / "units")
    assert list(read_units(tmp_path / "units").units) == data.utterances
    # Shards that vanish are told, too.
    join = Shards.join

    def robbed(shards: Shards) -> None:
        shutil.rmtree(shards.paths()[0])
        join(shards)

    monkeypatch.setattr(extract, "_encode", encode)
    monkeypatch.setattr(Shards, "join", robbed)
    with pytest.raises(VqspeechError, match="has no units from utterance 0 on"):
        extract_units(codec, data, tmp_path / "others")
    assert not (tmp_path / "others").exists()


def test_units_that_are_half_replaced_are_no_units(
    tmp_path: Path, codec: Codec, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_units(codec, data, tmp_path / "units")
    whole = {name: (tmp_path / "units" / name).read_bytes() for name in ("units.txt", "units.json")}
    write = store._write_info
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write_info", lambda folder, info: 1 / (folder.name != "units") and write(folder, info))
        with pytest.raises(ZeroDivisionError):
            extract_units(codec, data, tmp_path / "units", force=True)
    with pytest.raises(VqspeechError, match="not a units dir"):
        read_units(tmp_path / "units")
    # The same command goes on, forced or not.
    extract_units(codec, data, tmp_path / "units")
    assert {name: (tmp_path / "units" / name).read_bytes() for name in whole} == whole
