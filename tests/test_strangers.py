"""Files from strangers execute nothing: every command meets a pickle in the place of every file that it reads."""

import importlib
import os
import pickle
import shutil
import signal
import sys
import tomllib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.speech import make_data_dir
from tests.tiny import save_tiny_model, tiny_config
from vqspeech.data.kaldi import read_data_dir
from vqspeech.data.shards import write_shards
from vqspeech.settings import to_dict
from vqspeech.training import enroll
from vqspeech.units.formats import FORMATS
from vqspeech.units.store import read_units
from vqspeech.units.transfer import export_units

SPEAKERS = ("x01", "x02")
PROMPT = "--speaker x01 --prompt corpus/short.wav"
PRIOR = "--training.max_steps 2 --training.eval_every 1 --model.width 16 --model.heads 2"
COMMANDS = {
    "prepare manifest": "prepare --corpus corpus --data made --dump dump",
    "prepare kaldi": "prepare --corpus data --data made --dump dump",
    "shard": "shard --data data --dump new-shards --out new-data",
    "train shards": "train --config tiny.yaml --train sharded --dev sharded --out fresh --accelerator cpu",
    "train": "train --config tiny.yaml --train data --dev data --out fresh --accelerator cpu",
    "train init": "train --config tiny.yaml --train data --dev data --out fresh --init model --accelerator cpu",
    "train resume": "train --config longer.yaml --train data --dev data --out out --resume --accelerator cpu",
    "units": "units --model model --data data --out units --force",
    "decode": "decode --model model --units units --speaker source --data data --out wavs",
    "convert": "convert --model model --src corpus/one.wav --speaker x01",
    "evaluate": "evaluate --model model --data data --train-data data --out results --units-only",
    "train_prior": f"train_prior --units units --dev units --out fresh {PRIOR}",
    "train_prior resume": f"train_prior --units units --dev units --out prior --resume {PRIOR}",
    "sample": f"sample --model model --prior prior --seconds 0.2 -n 1 --out samples {PROMPT}",
    "export": "export --units units --format jsonl --data data --out exported",
    "enroll": "enroll --name new --wavs corpus/one.wav corpus/x020.wav --model model --out enrolled --steps 1",
    "report": "report out --out page.html",
    **{f"import_ {format}": f"import_ --source {format} --out imported" for format in FORMATS},
}
MODEL = ["model/config.json", "model/model.safetensors"]
DATA = ["data/wav.scp", "data/utt2spk", "data/utt2dur", "data-wav/x01_000.flac"]
UNITS = ["units/units.json", "units/units.txt", "units/utt2spk"]
# The newest first.
STATES = ["out/train/state-000003.safetensors", "out/train/state-000002.safetensors"]
PRIOR_STATES = ["prior/train/state-000002.safetensors", "prior/train/state-000001.safetensors"]
PRIOR_FILES = ["train/metrics.jsonl", "prior.json", "prior.safetensors"]
READ = {
    "prepare manifest": ["corpus/manifest.tsv", "corpus/one.wav"],
    "shard": DATA,
    "prepare kaldi": [*DATA, "data/text", "data/spk2gender", "data/utt2offset", "data/labels.scp"],
    "train": ["tiny.yaml", *DATA],
    "train shards": ["sharded/wav.scp", "shards/000000.tar"],
    "train init": MODEL,
    "train resume": [*STATES, "out/train/metrics.jsonl", "out/config.json", "out/model.safetensors"],
    "units": [*MODEL, *DATA, *UNITS],
    "decode": [*MODEL, *UNITS, "data/utt2spk"],
    "convert": [*MODEL, "corpus/one.wav"],
    "evaluate": [*MODEL, *DATA, "model/train/metrics.jsonl", "splits.json"],
    "train_prior": UNITS,
    "train_prior resume": [*PRIOR_STATES, *(f"prior/{name}" for name in PRIOR_FILES)],
    "sample": [*MODEL, "prior/prior.json", "prior/prior.safetensors", "corpus/short.wav"],
    "export": [*UNITS, "data/wav.scp", "data-wav/x01_000.flac"],
    "enroll": [*MODEL, "corpus/one.wav"],
    "report": ["out/config.json", "out/train/metrics.jsonl"],
}

found: list[str] = []
watching = False


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    """Note each class or function that is looked up for a pickle, but for numba's own cache of compiled code."""
    if watching and event == "pickle.find_class":
        stack = "".join(traceback.format_stack(limit=25))
        if f"{os.sep}numba{os.sep}" not in stack:
            found.append(f"{arguments}\n{stack}")


sys.addaudithook(_hook)  # for good: there is no way to take it back


@contextmanager
def nothing_unpickled() -> Iterator[None]:
    """Fail when anything is unpickled within the block."""
    global watching
    found.clear()
    watching = True
    try:
        yield
    finally:
        watching = False
    assert not found, found[0]


class Evil:
    """Unpickled, it leaves a folder `bitten`."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("bitten",)


def poison(path: Path) -> None:
    """Put a pickle in the place of a file, in the wrapping that its reader might unpack."""
    if path.suffix == ".npy":
        np.save(path, np.array([Evil()], dtype=object), allow_pickle=True)
    elif path.suffix == ".npz":
        evil = np.array([Evil()], dtype=object)
        np.savez(path, ids=evil, lengths=evil, units=evil, durations=evil)
    elif path.name == "model.safetensors":
        torch.save({"weight": Evil()}, path)
    else:
        path.write_bytes(pickle.dumps(Evil(), protocol=0))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of everything that commands read."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "corpus").mkdir()
    data = make_data_dir(folder / "data", SPEAKERS, utterances=2, seconds=0.3)
    for name, text in {"text": "words", "utt2offset": "0.1", "labels.scp": folder / "a.lab"}.items():
        (folder / "data" / name).write_text("".join(f"{id} {text}\n" for id in data.utterances))
    (folder / "data/spk2gender").write_text("x01 f\nx02 m\n")
    (folder / "a.lab").write_text("0 1000000 a\n1000000 3000000 b\n")
    write_shards(read_data_dir(folder / "data"), folder / "shards", folder / "sharded")
    (folder / "splits.json").write_text('{"skipped": {}, "left_out": {}}')
    make_data_dir(folder / "short", SPEAKERS, utterances=1, seconds=0.1)
    shutil.copy(folder / "short-wav/x01_000.flac", folder / "corpus/short.wav")
    rows = []
    for speaker in SPEAKERS:
        for number in range(3):
            make_data_dir(folder / f"{speaker}{number}", (speaker,), utterances=1, seconds=0.3 + 0.01 * number)
            shutil.copy(folder / f"{speaker}{number}-wav/{speaker}_000.flac", folder / f"corpus/{speaker}{number}.wav")
            rows.append(f"{speaker}_{number}\t{speaker}\t{speaker}{number}.wav\ta text {number}\n")
    (folder / "corpus/one.wav").write_bytes((folder / "corpus/x010.wav").read_bytes())
    rows.append("x01_one\tx01\tone.wav\tone more\n")
    (folder / "corpus/manifest.tsv").write_text("utt\tspeaker\tpath\ttext\n" + "".join(rows))
    save_tiny_model(folder / "model", SPEAKERS)
    config = to_dict(tiny_config())
    for name, steps in (("tiny", 3), ("longer", 4)):
        config["training"] |= {"max_steps": steps, "eval_every": 1, "eval_seconds": 0.2}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("units", "train_prior", "train"):
            line = COMMANDS[name].replace("--out fresh", "--out prior" if name == "train_prior" else "--out out")
            assert run(patch, line) == 0
        shutil.copytree("out/train", "model/train")
    for format in FORMATS:
        export_units(read_units(folder / "units"), format, folder / format, data=read_data_dir(folder / "data"))
    return folder


def run(patch: pytest.MonkeyPatch, line: str) -> int:
    """Run a command line in this process, and return its exit code."""
    command, *arguments = line.split()
    patch.setattr(sys, "argv", [command, *arguments])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(f"vqspeech.cli.{command}").main()
    finally:
        signal.signal(signal.SIGTERM, before)
    return ended.value.code


def files_read(name: str, place: Path) -> list[str]:
    """The files that a command reads."""
    command, _, format = name.partition(" ")
    if command == "import_":
        return [str(path.relative_to(place)) for path in sorted((place / format).rglob("*")) if path.is_file()]
    return READ[name]


def test_every_command_meets_them() -> None:
    scripts = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["scripts"]
    modules = {target.partition(":")[0].rpartition(".")[2] for target in scripts.values()}
    # demo reads what convert does; align, for which an extra is needed, reads texts and audio as evaluate does.
    assert {name.partition(" ")[0] for name in COMMANDS} == modules - {"demo", "align"}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_unpickled(
    name: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(enroll, "LEAST_SECONDS", 0.2)
    monkeypatch.setattr(enroll, "LEAST_CLIP_SECONDS", 0.1)
    monkeypatch.setattr(enroll, "CROP", 640)
    shutil.copytree(place, tmp_path / "whole")
    # The data dir names its audio by absolute paths.
    for table in (tmp_path / "whole").glob("*/*.scp"):
        table.write_text(table.read_text().replace(str(place), str(tmp_path / "whole")))
    monkeypatch.chdir(tmp_path / "whole")
    with nothing_unpickled():
        assert run(monkeypatch, COMMANDS[name]) == 0, capfd.readouterr().err
    for number, file in enumerate(files_read(name, place)):
        assert (place / file).is_file(), file
        folder = tmp_path / str(number)
        shutil.copytree(place, folder)
        for table in folder.glob("*/*.scp"):
            table.write_text(table.read_text().replace(str(place), str(folder)))
        poison(folder / file)
        monkeypatch.chdir(folder)
        with nothing_unpickled():
            code = run(monkeypatch, COMMANDS[name])
        err = capfd.readouterr().err
        assert not (folder / "bitten").exists(), file
        assert code in (0, 1, 2) and "Traceback" not in err and "VQSPEECH_DEBUG" not in err, (file, err)


def test_the_hook_bites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    poison(tmp_path / "evil")
    with pytest.raises(AssertionError, match="mkdir"), nothing_unpickled():
        pickle.loads((tmp_path / "evil").read_bytes())
    assert (tmp_path / "bitten").exists()
