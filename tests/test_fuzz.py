"""What is written is read again, and damage is told in one line: hypothesis on every reader and writer."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.soak.targets import INFO, RATE, SEPARATOR, TARGETS, Target, lowered_limits, try_input
from vqspeech import audio
from vqspeech.config import Config
from vqspeech.data.kaldi import DataDir, read_data_dir, write_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.files import check_id
from vqspeech.settings import from_dict, load_config, to_dict
from vqspeech.units.formats import FORMATS
from vqspeech.units.store import Units, read_units, write_units
from vqspeech.units.transfer import export_units, import_units

# fairseq's manifest wants audio; tests/units/test_formats.py has it.
WITHOUT_AUDIO = [format for format in FORMATS if format != "fairseq"]
EXAMPLES = int(os.environ.get("VQSPEECH_FUZZ_EXAMPLES", "30"))
few, many = (
    settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 30)
    for count in (EXAMPLES, 10 * EXAMPLES)
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


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    """Valid inputs of every reader."""
    return {name: target.seeds(tmp_path_factory.mktemp("seeds") / "made") for name, target in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_read(name: str, seeds: dict[str, list[bytes]], tmp_path: Path) -> None:
    TARGETS[name].unpack(seeds[name][0], tmp_path)
    TARGETS[name].read(tmp_path)


@many
@given(st.data(), damage)
@pytest.mark.parametrize("name", TARGETS)
def test_damage_is_told_in_one_line(
    name: str, seeds: dict[str, list[bytes]], data: st.DataObject, damage: tuple[str, float, bytes]
) -> None:
    parts = data.draw(st.sampled_from(seeds[name])).split(SEPARATOR)
    part = data.draw(st.integers(0, len(parts) - 1))
    parts[part] = damaged(parts[part], damage)
    with folder() as place, lowered_limits():
        assert try_input(TARGETS[name], SEPARATOR.join(parts), Path(place)) is None


def test_coverage_guides_and_findings_are_kept(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="pip install 'vqspeech[fuzz]' brings atheris")
    command = [sys.executable, "tests/soak/fuzz.py", "--targets", "labels", "--inputs", "300", "--keep", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(
        r"labels: tried 300 \(\d+ a second\), 300 in all, edges \d+, lines \d+ of \d+, findings 0\n", done.stdout
    )
    assert any((tmp_path / "labels/corpus").iterdir())


def test_what_no_command_could_explain_is_a_finding(tmp_path: Path) -> None:
    def read(folder: Path) -> object:
        return json.loads((folder / "a").read_text())["key"]

    found = try_input(Target(("a",), make=Path.mkdir, read=read), b"{}", tmp_path)
    assert (found.kind, found.where.partition(":")[0]) == ("KeyError", "test_fuzz.py")
    assert try_input(Target(("a",), make=Path.mkdir, read=read), b"", tmp_path) is None  # there is no such file
