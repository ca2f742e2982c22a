"""What is fuzzed: for each reader the files that it reads, as its own writers make them, and the call that reads them.

An input is the content of those files one after another, parted by `SEPARATOR`. A part of nothing is a file that is
missing, `EMPTY` one that is empty.
"""

import contextlib
import gzip
import io
import json
import os
import resource
import shutil
import tarfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.files import check_id

RATE = 16000
SEPARATOR, EMPTY = b"\xf7\xf8\xf9\xfa", b"\xf6"
INFO = {"codes": 40, "hop": 64, "sample_rate": RATE, "rate": 250.0}
SLOWEST = 2.0
"""Seconds of processor time that a reader may take for an input of some kilobytes."""
LARGEST = 2**28
"""Bytes by which one input may raise the memory that the process needs at most."""
LOWERED = {
    "vqspeech.audio.LONGEST_SECONDS": 60,
    "vqspeech.units.transfer.LONGEST_RUN": 10**5,
    "vqspeech.units.transfer.MOST_FRAMES": 10**6,
    "vqspeech.units.formats.tables.MOST_VALUES": 4 * 10**6,
}
"""Limits that allow a small file to become gigabytes, set so low that whatever goes past them stands out."""


@dataclass(frozen=True)
class Target:
    """A reader."""

    files: tuple[str, ...]
    """What it reads, by relative path; the order is that of an input's parts."""
    make: Callable[[Path], None]
    """Writes into a folder one subfolder for each seed, in which these files are valid."""
    read: Callable[[Path], object]
    """Reads the files in a folder, and asserts of what it reads what is promised. It may raise VqspeechError, and
    OSError with a reason that a command can print."""

    def seeds(self, work: Path) -> list[bytes]:
        """Make the seeds, as inputs, by way of an unused folder."""
        self.make(work)
        seeds = [self.pack(folder) for folder in sorted(work.iterdir()) if folder.is_dir()]
        shutil.rmtree(work)
        return seeds

    def pack(self, folder: Path) -> bytes:
        """The input that stands for the files in a folder."""
        paths = [folder / name for name in self.files]
        return SEPARATOR.join((path.read_bytes() or EMPTY) if path.exists() else b"" for path in paths)

    def unpack(self, data: bytes, folder: Path) -> None:
        """Write the files that an input stands for into an empty folder."""
        for name, content in zip(self.files, data.split(SEPARATOR), strict=False):
            if not content:
                continue
            path = folder / name
            if path.parent != folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"" if content == EMPTY else content)


@dataclass(frozen=True)
class Finding:
    """What an input should not have brought about."""

    kind: str
    """The class of an exception, or `slow`, `memory`, `many lines`."""
    where: str
    """File and line."""
    detail: str


def try_input(target: Target, data: bytes, folder: Path) -> Finding | None:
    """Let the reader loose on an input, by way of `folder`, whatever is in which is removed."""
    empty(folder)
    target.unpack(data, folder)
    memory, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        target.read(folder)
    except VqspeechError as error:
        if "\n" in str(error):
            return Finding("many lines", _place(error), repr(error))
    except OSError as error:
        if not error.strerror:
            return Finding(type(error).__name__, _place(error), "".join(traceback.format_exception(error)))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        return Finding(type(error).__name__, _place(error), "".join(traceback.format_exception(error)))
    seconds = time.process_time() - began
    if seconds > SLOWEST:
        return Finding("slow", "", f"{seconds:.1f} s")
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory)
    return Finding("memory", "", f"{grown >> 20} MiB more") if grown > LARGEST else None


def empty(folder: Path) -> None:
    """Remove what is in a folder."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry)
        else:
            os.unlink(entry)


@contextlib.contextmanager
def lowered_limits() -> Iterator[None]:
    """Let the limits of `LOWERED` hold within the block."""
    with contextlib.ExitStack() as stack:
        for name, value in LOWERED.items():
            stack.enter_context(mock.patch(name, value))
        yield


def _place(error: BaseException) -> str:
    """The innermost line of vqspeech in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "vqspeech" in Path(frame.filename).parts] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


# Audio


def _make_audio(place: Path) -> None:
    import soundfile

    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 300)
    kinds = "WAV/PCM_16 WAV/PCM_U8 WAV/FLOAT WAV/IMA_ADPCM WAVEX/PCM_24 FLAC/PCM_16 OGG/VORBIS OGG/OPUS AIFF/PCM_16"
    kinds += " AU/ULAW CAF/ALAC_16 W64/PCM_16 RF64/PCM_16 NIST/PCM_16 MP3/MPEG_LAYER_III"
    for number, (container, subtype) in enumerate(kind.split("/") for kind in kinds.split()):
        for channels in (1, 2):
            folder = place / f"{number:02d}-{channels}"
            folder.mkdir(parents=True)
            soundfile.write(folder / "a", np.stack([noise] * channels, 1), RATE, subtype, format=container)
            if container == "WAV":
                # As a crash leaves it.
                (place / f"{folder.name}-cut").mkdir()
                (place / f"{folder.name}-cut/a").write_bytes((folder / "a").read_bytes()[:200])


def _read_audio(folder: Path) -> None:
    from vqspeech import audio

    # Each says for itself what is wrong.
    for read in (audio.duration, audio.comment, audio.is_whole):
        with contextlib.suppress(VqspeechError):
            read(folder / "a")
    waveform = audio.read(folder / "a", RATE)
    assert waveform.dtype == np.float32 and waveform.ndim == 1 and len(waveform) and np.isfinite(waveform).all()
    gain = audio.level_gain(waveform, RATE)
    assert gain == 1 or np.abs(gain * waveform).max() <= 1.01 * audio.PEAK
    start, end = audio.speech_span(waveform, RATE)
    assert 0 <= start < end <= len(waveform)


def _make_tar(place: Path) -> None:
    from vqspeech import audio

    audio.write(place / "work/a-1.flac", np.random.default_rng(0).uniform(-0.5, 0.5, 300), RATE)
    for number, format in enumerate((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT)):
        (place / f"{number}").mkdir()
        with tarfile.open(place / f"{number}/a.tar", "w", format=format) as archive:
            archive.add(place / "work/a-1.flac", "a-1.flac")
    shutil.rmtree(place / "work")


def _read_tar(folder: Path) -> None:
    from vqspeech import audio
    from vqspeech.archive import Member

    header = bytearray((folder / "a.tar").read_bytes())
    if len(header) >= 512:
        # A header that was changed is refused for its checksum alone: this one gets what is right.
        header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
        (folder / "a.tar").write_bytes(header)
    audio.read(Member(folder / "a.tar", 512, "a-1"), RATE)


# Data


def _make_data(place: Path) -> None:
    from vqspeech.data.kaldi import DataDir, write_data_dir

    speakers = {"a-1": "a", "a-2": "a", "b-1": "b"}
    wavs = {id: Path("a.wav") for id in speakers}
    texts, numbers = {id: "a text" for id in speakers}, {id: 1.5 for id in speakers}
    labels = {id: Path("a.lab") for id in speakers}
    write_data_dir(DataDir(place / "0", wavs, speakers))
    write_data_dir(DataDir(place / "1", wavs, speakers, texts, {"a": "f", "b": "m"}, numbers, numbers, labels))
    for folder in (place / "0", place / "1"):
        for name in ("a.wav", "a.lab"):
            (folder / name).write_text("something")
    shutil.copytree(place / "1", place / "2")
    _make_tar(place / "shards")
    # Of an archive its first member alone.
    (place / "2/a-1.tar").write_bytes((place / "shards/0/a.tar").read_bytes()[:2048])
    (place / "2/wav.scp").write_text("a-1 a-1.tar:512\na-2 sox a.wav |\nb-1 a.wav\n")
    shutil.rmtree(place / "shards")


def _read_data(folder: Path) -> None:
    from vqspeech.data.kaldi import read_data_dir, validate_data_dir

    with contextlib.suppress(VqspeechError):
        read_data_dir(folder)
    # Pipes are read, not run. Files are named relative to the folder that holds them.
    with contextlib.chdir(folder):
        validate_data_dir(folder, allow_pipes=True)
    data = read_data_dir(folder, allow_pipes=True)
    assert all(0 < seconds < np.inf for seconds in data.utt2dur.values())
    assert not any("\0" in str(path) for path in [*data.wavs.values(), *data.labels.values()] if isinstance(path, Path))
    assert all(map(check_id, [*data.utterances, *data.speakers]))


def _make_manifest(place: Path) -> None:
    _write(place / "0/manifest.tsv", "utt\tspeaker\tpath\ttext\n1\ta\ta.wav\tgood day\n2\tb\tb.wav\t\n")
    _write(place / "1/manifest.tsv", "speaker\tutt\tgender\tpath\r\na\ta-1\tFemale\tb/a.wav\r\n")


def _read_manifest(folder: Path) -> object:
    from vqspeech.data.manifest import read_manifest

    return read_manifest(folder)


def _make_librispeech(place: Path) -> None:
    _write(place / "0/1/2/1-2.trans.txt", "1-2-0 GOOD DAY\n1-2-1 AND AGAIN\n")
    _write(place / "0/SPEAKERS.TXT", "; ID | SEX\n1 | F | train-clean-100 | 25.0 | A Name\n")


def _read_librispeech(folder: Path) -> object:
    from vqspeech.data.librispeech import read_librispeech

    return read_librispeech(folder)


def _make_labels(place: Path) -> None:
    _write(place / "0/a.lab", "0 1000000 x^x-sil+a=b@1\n1000000 2000000 a\n")
    _write(place / "1/a.phn", "0.0 0.25 SIL\n0.25 0.5 AH0\n\n0.5 1e0 +SPN+\n")
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n<exists>\n2\n'
    tiers = '"TextTier"\n"a"\n0\n1\n1\n0.5\n"x"\n"IntervalTier"\n"phones"\n0\n1\n2\n0\n0.5\n""\n0.5\n1\n"AH ""0"\n'
    _write(place / "2/a.TextGrid", head + tiers)


def _read_labels(folder: Path) -> None:
    from vqspeech.data.labels import find_labels, read_labels

    for path in find_labels(folder).values():
        times = [time for phone in read_labels(path) for time in (phone.start, phone.end)]
        assert times == sorted(times) and np.isfinite(times).all()


# Units


def _units() -> dict[str, np.ndarray]:
    return {"a-1": np.array([1, 1, 2]), "a-2": np.array([3, 3])}


def _make_units(place: Path) -> None:
    from vqspeech.units.store import write_units

    write_units(place / "0", INFO, _units(), {"a-1": "a", "a-2": "b"})
    write_units(place / "1", INFO, _units())


def _read_units(folder: Path) -> None:
    from vqspeech.units.transfer import read_units_or_export

    units = read_units_or_export(folder)
    for id, row in units.units.items():
        assert check_id(id) and row.dtype == np.int64 and row.ndim == 1 and len(row)
        assert row.min() >= 0 and row.max() < units.info["codes"]
    assert all(map(check_id, units.speakers.values()))


def _make_export(format: str, with_bpe: bool = False) -> Callable[[Path], None]:
    """Seeds of a format: with runs kept and merged, and with their archives unpacked, which `_read_units` packs."""

    def make(place: Path) -> None:
        from vqspeech.data.kaldi import DataDir
        from vqspeech.units.store import Units
        from vqspeech.units.transfer import export_units, train_bpe

        units = Units(INFO, _units(), {"a-1": "a"})
        bpe = train_bpe(units, units, 42, False) if with_bpe else None
        data = None
        if format == "fairseq":  # whose manifest wants audio
            import soundfile

            place.mkdir()
            wavs = {id: place / f"{id}.wav" for id in units.units}
            for id, row in units.units.items():
                soundfile.write(wavs[id], np.zeros(64 * len(row)), RATE)
            data = DataDir(place, wavs, dict.fromkeys(wavs, "a"))
        for number, merge in enumerate((False,) if format == "fairseq" or with_bpe else (False, True)):
            out = place / f"{number}"
            export_units(units, format, out, merge=merge, data=data, bpe=bpe)
            if format in ("lhotse", "npz"):
                shutil.copytree(out, place / f"{number}-open")
                _open(place / f"{number}-open")

    return make


def _open(folder: Path) -> None:
    """Unpack the compressed file of an export, whose checksums would let no change pass."""
    if (folder / "cuts.jsonl.gz").exists():
        (folder / "cuts.jsonl").write_bytes(gzip.decompress((folder / "cuts.jsonl.gz").read_bytes()))
        (folder / "cuts.jsonl.gz").unlink()
    if (folder / "units.npz").exists():
        with zipfile.ZipFile(folder / "units.npz") as archive:
            archive.extractall(folder)
        (folder / "units.npz").unlink()


def _read_export(folder: Path) -> None:
    lines, arrays = folder / "cuts.jsonl", [folder / f"{name}.npy" for name in ("ids", "lengths", "units", "durations")]
    if lines.exists():
        (folder / "cuts.jsonl.gz").write_bytes(gzip.compress(lines.read_bytes(), 1))
    if any(path.exists() for path in arrays):
        with zipfile.ZipFile(folder / "units.npz", "w") as archive:
            for path in filter(Path.exists, arrays):
                archive.writestr(path.name, path.read_bytes())
    _read_units(folder)


def _read_bpe(folder: Path) -> None:
    from vqspeech.units.store import Units
    from vqspeech.units.transfer import bpe_of_export

    with contextlib.suppress(VqspeechError):
        bpe_of_export(folder, Units(INFO, {}), merge=False)
    _read_units(folder)


def _export(format: str, *files: str) -> Target:
    return Target(("units.json", "durations.txt", *files), _make_export(format), _read_export)


# Settings and weights


def _make_config(place: Path) -> None:
    import yaml

    from vqspeech.config import Config
    from vqspeech.settings import to_dict

    _write(place / "0/a.yaml", "model: {encoder: {strides: [2, 5]}}\ntraining: {seed: 3, learning_rate: 1e-3}\n")
    _write(place / "1/a.yaml", "a: &a {seed: 1}\nb: [*a, ? !!set x, 0x1F, 1_000, 2001-01-01, .inf, !!int '3']\n---\n")
    values = to_dict(Config())
    # JSON is YAML.
    _write(place / "json/a.yaml", json.dumps({"model": values["model"]}))
    for name, settings in values["model"].items():
        _write(place / f"{name}/a.yaml", yaml.safe_dump({"model": {name: settings}}))
    _write(place / "training/a.yaml", yaml.safe_dump({"training": values["training"]}))


def _read_config(folder: Path) -> None:
    from vqspeech.config import Config
    from vqspeech.settings import load_config, override

    # As a flag's value, too.
    with contextlib.suppress(VqspeechError, OSError):
        override(Config(), {"model.encoder.strides": (folder / "a.yaml").read_text(encoding="utf-8", errors="replace")})
    load_config(folder / "a.yaml", Config)


def _make_model(place: Path) -> None:
    from vqspeech.config import BottleneckConfig, DecoderConfig, EncoderConfig, ModelConfig
    from vqspeech.hub import save_pretrained
    from vqspeech.models.vqvae import VQVAE

    encoder = EncoderConfig(strides=(8, 8), channels=4, hidden=2, dilations=())
    decoder = DecoderConfig(layers=2, residual=2, skip=2, conditioning=2, conditioning_dilations=())
    for name in ("vq", "fsq"):
        bottleneck = BottleneckConfig(name=name, codes=4, dim=2, normalise="none", levels=(2, 2))
        model = VQVAE(ModelConfig(speaker_dim=1, encoder=encoder, bottleneck=bottleneck, decoder=decoder), 2)
        save_pretrained(place / name, model, ("p225", "p226"), {"temperature": 1.0})


def _read_model(folder: Path) -> None:
    from vqspeech.hub import from_pretrained

    loaded = from_pretrained(folder)
    assert all(map(check_id, loaded.speakers)) and 0 <= loaded.notes.get("temperature", 1.0) < np.inf


def _make_prior(place: Path) -> None:
    from vqspeech.config import PriorConfig
    from vqspeech.models.prior import Autoregressive, Histogram
    from vqspeech.units.prior import Priors, save_priors

    config = PriorConfig(width=4, layers=1, heads=2, window=4)
    info = {"codes": 4, "hop": 64, "sample_rate": RATE, "model_sha256": "0", "merged": False}
    save_priors(place / "0", Priors(Histogram(4), Autoregressive(4, 1, config), ("a",), info))


def _read_prior(folder: Path) -> None:
    from vqspeech.units.prior import load_priors

    load_priors(folder)


def _make_state(place: Path) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file

    from vqspeech.training.checkpoint import save_state

    module, optimizer = _trained()
    (place / "0").mkdir(parents=True)
    for step in (1, 2):
        module(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        save_state(place / "0", {"module": module}, optimizer, {"step": step}, keep=2)
    # The first ones had no checksum, so that changes get past it.
    (place / "1").mkdir()
    with safe_open(place / "0/state-000002.safetensors", "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        metadata = {"counters": file.metadata()["counters"]}
    save_file(tensors, place / "1/state-000002.safetensors", metadata)


def _trained() -> tuple:
    import torch

    module = torch.nn.Linear(2, 1)
    return module, torch.optim.AdamW(module.parameters())


def _read_state(folder: Path) -> None:
    from vqspeech.training.checkpoint import load_state, newest_state

    module, optimizer = _trained()
    with contextlib.redirect_stderr(io.StringIO()):
        path = newest_state(folder)
    if path is not None:
        load_state(path, {"module": module}, optimizer)


def _make_metrics(place: Path) -> None:
    _write(place / "0/metrics.jsonl", '{"split": "train", "step": 1, "loss": 0.5}\n{"split": "dev", "step": 2, "los')


def _read_metrics(folder: Path) -> object:
    from vqspeech.training.log import read_metrics

    return read_metrics(folder / "metrics.jsonl")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


KALDI = ("wav.scp", "utt2spk", "spk2utt", "text", "spk2gender", "utt2dur", "utt2offset", "labels.scp")
TARGETS = {
    "audio": Target(("a",), _make_audio, _read_audio),
    "tar": Target(("a.tar",), _make_tar, _read_tar),
    "data dir": Target((*KALDI, "a.wav", "a.lab", "a-1.tar"), _make_data, _read_data),
    "manifest": Target(("manifest.tsv",), _make_manifest, _read_manifest),
    "librispeech": Target(("1/2/1-2.trans.txt", "SPEAKERS.TXT"), _make_librispeech, _read_librispeech),
    "labels": Target(("a.lab", "a.phn", "a.TextGrid"), _make_labels, _read_labels),
    "units dir": Target(("units.json", "units.txt", "utt2spk"), _make_units, _read_units),
    "kaldi-text": _export("kaldi-text", "units.txt"),
    "kaldi-ark": _export("kaldi-ark", "units.ark"),
    "ctm": _export("ctm", "units.ctm"),
    "espnet": _export("espnet", "text.ts.km40", "text.rm.km40"),
    "fairseq": _export("fairseq", "ids.txt", "0.km", "0.tsv"),
    "gslm": _export("gslm", "units.txt"),
    "lhotse": _export("lhotse", "cuts.jsonl", "arrays/a-1/a-1.npy", "arrays/a-2/a-2.npy", "cuts.jsonl.gz"),
    "jsonl": _export("jsonl", "units.jsonl"),
    "parquet": _export("parquet", "units.parquet"),
    "npz": _export("npz", "ids.npy", "lengths.npy", "units.npy", "durations.npy", "units.npz"),
    "bpe": Target(("units.json", "units.jsonl", "bpe.model"), _make_export("jsonl", with_bpe=True), _read_bpe),
    "config": Target(("a.yaml",), _make_config, _read_config),
    "model": Target(("config.json", "model.safetensors"), _make_model, _read_model),
    "prior": Target(("prior.json", "prior.safetensors"), _make_prior, _read_prior),
    "checkpoint": Target(("state-000002.safetensors", "state-000001.safetensors"), _make_state, _read_state),
    "metrics": Target(("metrics.jsonl",), _make_metrics, _read_metrics),
}
