"""What is written is read again, and damage is told in one line: hypothesis on every reader and writer."""

import json
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.config import Config
from vqspeech.data.kaldi import DataDir, read_data_dir, validate_data_dir, write_data_dir
from vqspeech.data.labels import read_labels
from vqspeech.data.manifest import read_manifest
from vqspeech.data.shards import write_shards
from vqspeech.errors import VqspeechError
from vqspeech.files import check_id
from vqspeech.hub import from_pretrained
from vqspeech.settings import from_dict, load_config, to_dict
from vqspeech.training.checkpoint import load_state, newest_state, save_state
from vqspeech.units.formats import FORMATS
from vqspeech.units.store import Units, read_units, write_units
from vqspeech.units.transfer import export_units, import_units

RATE = 16000
# fairseq's manifest wants audio; tests/units/test_formats.py has it.
WITHOUT_AUDIO = [format for format in FORMATS if format != "fairseq"]
INFO = {"codes": 40, "hop": 64, "sample_rate": RATE, "rate": 250.0}
EXAMPLES = int(os.environ.get("VQSPEECH_FUZZ_EXAMPLES", "30"))
few = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 30
)


def is_id(text: str) -> bool:
    try:
        return bool(check_id(text))
    except VqspeechError:
        return False


# GSLM parts ids from units by a bar and says so when it cannot.
ids = st.text(min_size=1, max_size=8).filter(lambda text: is_id(text) and "|" not in text)
rows = st.dictionaries(ids, st.lists(st.integers(0, 39), min_size=1, max_size=20), min_size=1, max_size=4)


def folder() -> tempfile.TemporaryDirectory:
    """A folder for one example."""
    return tempfile.TemporaryDirectory(prefix="vqspeech-fuzz-")


@few
@given(st.dictionaries(ids, ids, min_size=1, max_size=5), st.data())
def test_data_dirs_come_back(speakers: dict[str, str], data: st.DataObject) -> None:
    texts = {id: data.draw(st.text("abc .,äß\u4e00", max_size=10)).strip() for id in speakers}
    with folder() as place:
        whole = DataDir(
            Path(place) / "data",
            wavs={id: Path("/a b") / f"{id}.wav" for id in speakers},
            utt2spk=speakers,
            texts={id: text for id, text in texts.items() if text},
            utt2dur={id: 1.5 for id in speakers},
        )
        write_data_dir(whole)
        back = read_data_dir(whole.path)
    assert (back.wavs, back.utt2spk, back.utt2dur) == (whole.wavs, whole.utt2spk, whole.utt2dur)
    assert back.texts == whole.texts


@few
@given(rows, st.booleans())
@pytest.mark.parametrize("format", WITHOUT_AUDIO)
def test_units_come_back(format: str, rows: dict[str, list[int]], merge: bool) -> None:
    units = {id: np.array(codes) for id, codes in rows.items()}
    with folder() as place:
        export_units(Units(INFO, units), format, Path(place) / "out", merge=merge)
        back = import_units(Path(place) / "out")
        write_units(Path(place) / "units", INFO, units)
        stored = read_units(Path(place) / "units")
    for found in (back, stored):
        assert {id: codes.tolist() for id, codes in found.units.items()} == rows


@few
@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=300), st.sampled_from([".wav", ".flac"]))
def test_audio_comes_back(samples: list[float], ending: str) -> None:
    waveform = np.array(samples, np.float32)
    with folder() as place:
        audio.write(Path(place) / f"a{ending}", waveform, RATE)
        back = audio.read(Path(place) / f"a{ending}", RATE)
    assert np.abs(back - waveform).max() <= 1 / 32768


@few
@given(st.data())
def test_configs_come_back(data: st.DataObject) -> None:
    values = to_dict(Config())
    values["model"]["bottleneck"]["codes"] = data.draw(st.integers(2, 2**20))
    values["model"]["encoder"]["strides"] = data.draw(st.lists(st.integers(1, 100), max_size=5))
    values["training"]["learning_rate"] = data.draw(st.floats(0, 1))
    assert to_dict(from_dict(Config, values)) == values
    with folder() as place:
        # JSON is YAML.
        (Path(place) / "a.yaml").write_text(json.dumps(values))
        assert to_dict(load_config(Path(place) / "a.yaml", Config)) == values


# Damage: bytes overwritten, cut out, put in, or something else altogether.
nonsense = st.binary(max_size=40)
damage = st.one_of(
    st.tuples(st.just("overwrite"), st.floats(0, 1), nonsense),
    st.tuples(st.just("insert"), st.floats(0, 1), nonsense),
    st.tuples(st.just("cut"), st.floats(0, 1), nonsense),
    st.tuples(st.just("replace"), st.just(0.0), nonsense),
)


def damaged(content: bytes, how: tuple[str, float, bytes]) -> bytes:
    kind, place, new = how
    at = int(place * len(content))
    if kind == "overwrite":
        return content[:at] + new + content[at + len(new) :]
    if kind == "insert":
        return content[:at] + new + content[at:]
    return content[:at] if kind == "cut" else new


def make_data(place: Path) -> None:
    wavs = {id: place / f"{id}.wav" for id in ("a-1", "a-2")}
    write_data_dir(DataDir(place / "data", wavs, {"a-1": "a", "a-2": "a"}, {"a-1": "text"}, {"a": "f"}, {"a-1": 1.0}))


def make_shards(place: Path) -> None:
    make_data_dir(place / "data", ("a",), utterances=2, seconds=0.1)
    write_shards(read_data_dir(place / "data"), place / "shards", place / "sharded")


def read_shards(place: Path) -> None:
    table = place / "sharded/wav.scp"
    table.write_bytes(re.sub(rb" /[^\n]*/shards/", b" %b/shards/" % bytes(place), table.read_bytes()))
    validate_data_dir(place / "sharded")
    data = read_data_dir(place / "sharded")
    for id in data.utterances:
        audio.read(data.wavs[id], RATE)


def make_manifest(place: Path) -> None:
    (place / "manifest.tsv").write_text("utt\tspeaker\tpath\ttext\n1\ta\ta.wav\tgood day\n2\tb\tb.wav\t\n")


def make_labels(place: Path) -> None:
    (place / "a.lab").write_text("0 1000000 x^x-sil+a=b@1\n1000000 2000000 a\n")


def make_units(place: Path) -> None:
    write_units(place / "units", INFO, {"a-1": np.array([1, 2]), "a-2": np.array([3])}, {"a-1": "a"})


def make_export(format: str) -> Callable[[Path], None]:
    def make(place: Path) -> None:
        units = Units(INFO, {"a-1": np.array([1, 1, 2]), "a-2": np.array([3, 3])})
        export_units(units, format, place / "out", merge=True)

    return make


def make_audio(ending: str, container: str, subtype: str) -> Callable[[Path], None]:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 2000)
    return lambda place: soundfile.write(place / f"a{ending}", noise, RATE, subtype, format=container)


def make_config(place: Path) -> None:
    (place / "a.yaml").write_text("model: {encoder: {strides: [2, 5]}}\ntraining: {seed: 3, learning_rate: 1e-3}\n")


def make_state(place: Path) -> None:
    module = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    for step in (1, 2):
        save_state(place, {"module": module}, optimizer, {"step": step}, keep=2)


def read_state(place: Path) -> None:
    module = nn.Linear(2, 2)
    if (path := newest_state(place)) is not None:
        load_state(path, {"module": module}, torch.optim.AdamW(module.parameters()))


READERS: dict[str, tuple[Callable[[Path], object], Callable[[Path], object]]] = {
    "data dir": (make_data, lambda place: read_data_dir(place / "data")),
    "shards": (make_shards, read_shards),
    "manifest": (make_manifest, read_manifest),
    "labels": (make_labels, lambda place: read_labels(place / "a.lab")),
    "units": (make_units, lambda place: read_units(place / "units")),
    "config": (make_config, lambda place: load_config(place / "a.yaml", Config)),
    "model": (save_tiny_model, from_pretrained),
    "checkpoint": (make_state, read_state),
    "wav": (make_audio(".wav", "WAV", "PCM_16"), lambda place: audio.read(place / "a.wav", RATE)),
    "flac": (make_audio(".flac", "FLAC", "PCM_16"), lambda place: audio.read(place / "a.flac", RATE)),
    "ogg": (make_audio(".ogg", "OGG", "VORBIS"), lambda place: audio.read(place / "a.ogg", RATE)),
    "aiff": (make_audio(".aiff", "AIFF", "PCM_16"), lambda place: audio.read(place / "a.aiff", RATE)),
    **{format: (make_export(format), lambda place: import_units(place / "out")) for format in WITHOUT_AUDIO},
}


@pytest.fixture(scope="module")
def whole() -> dict[str, dict[str, bytes]]:
    """The files of every reader, by relative path."""
    files = {}
    for name, (make, read) in READERS.items():
        with folder() as place:
            make(Path(place))
            read(Path(place))
            paths = [path for path in sorted(Path(place).rglob("*")) if path.is_file()]
            files[name] = {str(path.relative_to(place)): path.read_bytes() for path in paths}
    return files


@few
@given(st.data(), damage)
@pytest.mark.parametrize("name", READERS)
def test_damage_is_told_in_one_line(
    name: str, whole: dict[str, dict[str, bytes]], data: st.DataObject, damage: tuple[str, float, bytes]
) -> None:
    _, read = READERS[name]
    target = data.draw(st.sampled_from(sorted(whole[name])))
    with folder() as place:
        for file, content in whole[name].items():
            (Path(place) / file).parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / file).write_bytes(damaged(content, damage) if file == target else content)
        try:
            read(Path(place))
        except VqspeechError as error:
            assert "\n" not in str(error)
