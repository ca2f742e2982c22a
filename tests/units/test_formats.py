"""Every format as its own ecosystem reads it, and back."""

import dataclasses
import gzip
import json
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.little_memory import little_memory
from tests.speech import make_data_dir
from vqspeech.data.kaldi import DataDir
from vqspeech.errors import VqspeechError
from vqspeech.units.formats import FORMATS, base, tables
from vqspeech.units.store import Units, read_units, write_units
from vqspeech.units.tokens import expanded, kept, merged
from vqspeech.units.transfer import export_units, import_units, read_units_or_export

INFO = {"codes": 16, "hop": 64, "sample_rate": 16000, "rate": 250.0, "model_sha256": "0" * 64}
FIVE, NOUGHT, FIFTEEN = "\u4e05", "\u4e00", "\u4e0f"


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    """Utterances of five frames, the last one not full."""
    made = make_data_dir(tmp_path / "data", utterances=2, seconds=0.0185)
    return dataclasses.replace(made, texts={id: f"The words of {id}." for id in made.utterances})


@pytest.fixture
def units(data: DataDir) -> Units:
    rng = np.random.default_rng(0)
    rows = {id: np.repeat(rng.integers(16, size=3), [2, 1, 2]) for id in reversed(data.utterances)}
    rows["a_000"] = np.array([5, 5, 0, 15, 15])
    return Units(INFO, rows, dict(data.utt2spk))


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("format", FORMATS)
def test_units_come_back(tmp_path: Path, units: Units, data: DataDir, format: str, merge: bool) -> None:
    if format == "fairseq" and merge:
        pytest.skip("its labels are never merged")
    export_units(units, format, tmp_path / "out", merge=merge, data=data)
    back = read_units_or_export(tmp_path / "out")
    assert list(back.units) == sorted(units.units)
    assert all(np.array_equal(back.units[id], units.units[id]) for id in units.units)
    assert back.info == INFO
    assert not back.speakers or back.speakers == units.speakers


def test_an_export_is_not_taken_for_a_units_dir(tmp_path: Path, units: Units) -> None:
    export_units(units, "kaldi-text", tmp_path / "out", merge=True)
    with pytest.raises(VqspeechError, match="out: is an export, not a units dir; vqspeech-import makes one of it"):
        read_units(tmp_path / "out")


@pytest.mark.parametrize("format", ["excel", None, ["jsonl"], {}])
def test_an_unknown_format_is_named(tmp_path: Path, units: Units, format: object) -> None:
    export_units(units, "jsonl", tmp_path / "out")
    change_info(tmp_path / "out", format=format)
    with pytest.raises(VqspeechError, match=r"units\.json: not an export: its format is "):
        import_units(tmp_path / "out")


def test_runs_by_hand() -> None:
    tokens = merged(np.array([7, 7, 7, 2, 7]))
    assert tokens.units.tolist() == [7, 2, 7]
    assert tokens.durations.tolist() == [3, 1, 1]
    assert expanded(tokens).tolist() == [7, 7, 7, 2, 7]
    assert kept(np.array([1, 1])).durations.tolist() == [1, 1]


@pytest.mark.parametrize(("format", "kind"), [("kaldi-text", "ark,t:units.txt"), ("kaldi-ark", "ark:units.ark")])
def test_kaldi_native_io_reads_the_archives(
    tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch, format: str, kind: str
) -> None:
    kaldi = pytest.importorskip("kaldi_native_io")
    export_units(units, format, tmp_path / "out")
    monkeypatch.chdir(tmp_path / "out")
    with kaldi.SequentialInt32VectorReader(kind) as reader:
        read = [(id, list(values)) for id, values in reader]
    assert read == [(id, units.units[id].tolist()) for id in sorted(units.units)]
    assert Path("tokens.txt").read_text().splitlines()[:2] == ["<eps> 0", "0 1"]
    assert Path("tokens.txt").read_text().splitlines()[-1] == "15 16"
    if format == "kaldi-ark":
        monkeypatch.chdir("/")
        with kaldi.RandomAccessInt32VectorReader(f"scp:{tmp_path / 'out/units.scp'}") as reader:
            assert list(reader["b_001"]) == units.units["b_001"].tolist()


@pytest.mark.parametrize("merge", [False, True])
def test_ctm_by_hand(tmp_path: Path, units: Units, merge: bool) -> None:
    export_units(units, "ctm", tmp_path / "out", merge=merge)
    assert (tmp_path / "out/units.ctm").read_text().splitlines()[:3] == [
        "a_000 1 0.000000 0.008000 5",
        "a_000 1 0.008000 0.004000 0",
        "a_000 1 0.012000 0.008000 15",
    ]


def test_espnet_by_hand(tmp_path: Path, units: Units) -> None:
    export_units(units, "espnet", tmp_path / "ts")
    export_units(units, "espnet", tmp_path / "rm", merge=True)
    for folder in ("ts", "rm"):
        labels = (tmp_path / folder / "pseudo_labels_km16.txt").read_text()
        assert labels.splitlines()[0] == "a_000 5 5 0 15 15"
    kept_text, merged_text = ((tmp_path / case / f"text.{case}.km16").read_text() for case in ("ts", "rm"))
    assert kept_text.splitlines()[0] == f"a_000 {FIVE}{FIVE}{NOUGHT}{FIFTEEN}{FIFTEEN}"
    assert merged_text.splitlines()[0] == f"a_000 {FIVE}{NOUGHT}{FIFTEEN}"
    tokens = (tmp_path / "ts/tokens.txt").read_text().splitlines()
    assert (tokens[0], tokens[2], tokens[-1], len(tokens)) == ("<blank>", NOUGHT, "<sos/eos>", 19)


def test_fairseq_as_its_hubert_dataset_reads_it(tmp_path: Path, units: Units, data: DataDir) -> None:
    folder = tmp_path / "out"
    export_units(units, "fairseq", folder, data=data)
    root, *lines = (folder / f"{folder.name}.tsv").read_text().splitlines()
    labels = (folder / f"{folder.name}.km").read_text().splitlines()
    known = {line.split()[0] for line in (folder / "dict.km.txt").read_text().splitlines()}
    assert len(lines) == len(labels) == len(units.units)
    for line, row in zip(lines, labels, strict=True):
        name, samples = line.split("\t")
        assert (Path(root) / name).is_file()
        # Its check: what audio and labels last differs by less than a tenth of a second.
        assert abs(int(samples) / 16000 - len(row.split()) / 250) < 0.1
        assert set(row.split()) <= known
    for wrong, message in (({"merge": True, "data": data}, "leave out --dedup"), ({}, "give --data DIR")):
        with pytest.raises(VqspeechError, match=message):
            export_units(units, "fairseq", tmp_path / "other", **wrong)
        assert not (tmp_path / "other").exists()


def test_gslm_by_hand(tmp_path: Path, units: Units) -> None:
    export_units(units, "gslm", tmp_path / "out", merge=True)
    assert (tmp_path / "out/units.txt").read_text().splitlines()[0] == "a_000|5 0 15"


def test_lhotse_opens_its_cuts_from_anywhere(
    tmp_path: Path, units: Units, data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    lhotse = pytest.importorskip("lhotse")
    monkeypatch.chdir(tmp_path)
    export_units(units, "lhotse", Path("out"), merge=True, data=data)
    monkeypatch.chdir("/")
    for cut in lhotse.CutSet.from_file(tmp_path / "out/cuts.jsonl.gz"):
        assert np.array_equal(cut.units.load(), units.units[cut.id])
        assert np.array_equal(cut.load_units(), units.units[cut.id])
        assert np.repeat(cut.tokens, cut.durations).tolist() == units.units[cut.id].tolist()
        assert cut.supervisions[0].speaker == units.speakers[cut.id]
        assert cut.supervisions[0].text == data.texts[cut.id]
        assert cut.recording.num_samples == cut.load_audio().shape[1]


@pytest.mark.parametrize(("format", "kind"), [("jsonl", "json"), ("parquet", "parquet")])
def test_datasets_opens_the_tables(tmp_path: Path, units: Units, data: DataDir, format: str, kind: str) -> None:
    datasets = pytest.importorskip("datasets")
    export_units(units, format, tmp_path / "out", merge=True, data=data)
    file, cache = tmp_path / f"out/units.{format}", tmp_path / "cache"
    read = datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(cache))
    assert set(read.column_names) == {"id", "speaker", "text", "audio", "units", "durations"}
    for row in read:
        assert np.repeat(row["units"], row["durations"]).tolist() == units.units[row["id"]].tolist()
        assert row["text"] == data.texts[row["id"]]
        assert Path(row["audio"]) == Path(data.wavs[row["id"]]).resolve()


def test_numpy_opens_the_arrays(tmp_path: Path, units: Units) -> None:
    export_units(units, "npz", tmp_path / "out")
    with np.load(tmp_path / "out/units.npz") as arrays:
        assert arrays["ids"][0] == "a_000"
        assert arrays["units"][: arrays["lengths"][0]].tolist() == [5, 5, 0, 15, 15]


def change_info(folder: Path, **changes: object) -> None:
    path = folder / "units.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "fairseq"])
def test_a_unit_that_the_model_does_not_have_is_named(tmp_path: Path, units: Units, format: str) -> None:
    export_units(units, format, tmp_path / "out")
    if format == "espnet":  # whose text is named by K
        (tmp_path / "out/text.ts.km16").rename(tmp_path / "out/text.ts.km15")
    change_info(tmp_path / "out", codes=15)
    with pytest.raises(VqspeechError, match="unknown unit 15: there are units 0 to 14"):
        import_units(tmp_path / "out")


@pytest.mark.parametrize("format", FORMATS)
def test_damage_is_told_in_a_line(tmp_path: Path, units: Units, data: DataDir, format: str) -> None:
    export_units(units, format, tmp_path / "out", data=data)
    names = {"fairseq": "out.km", "lhotse": "cuts.jsonl.gz", "espnet": "text.ts.km16", "kaldi-ark": "units.ark"}
    path = tmp_path / "out" / names.get(format, "units.txt")
    path = path if path.exists() else next((tmp_path / "out").glob("units.[!j]*"), tmp_path / "out/units.jsonl")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] + b"\nx|")
    with pytest.raises(VqspeechError, match="out"):
        import_units(tmp_path / "out")
    path.unlink()
    with pytest.raises(VqspeechError, match="out"):
        import_units(tmp_path / "out")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "../x"}, "unsafe id"),
        ({"id": "b_001"}, "stands twice"),
        ({"units": []}, "has no units"),
        ({"units": [1.7, 2]}, "expected whole numbers"),
        ({"units": [2**80, 1]}, "expected whole numbers"),
        ({"units": ["a", "b"]}, "expected whole numbers"),
        ({"durations": [1]}, "needs 2 durations"),
        ({"durations": [0, 1]}, "needs 2 durations"),
        ({"durations": [2**62, 2**62]}, "lasts more than 10000000 frames"),
        ({"units": [1] * 101, "durations": [10**7] * 101}, "more than 1000000000 frames in all"),
        ({"speaker": "a\nb"}, "unsafe id"),
    ],
)
def test_rows_from_strangers_are_checked(tmp_path: Path, units: Units, row: dict[str, object], message: str) -> None:
    export_units(units, "jsonl", tmp_path / "out")
    with (tmp_path / "out/units.jsonl").open("a") as file:
        file.write(json.dumps({"id": "new", "units": [1, 2], "durations": [1, 1], **row}) + "\n")
    with pytest.raises(VqspeechError, match=rf"units\.jsonl:5: .*{message}"):
        import_units(tmp_path / "out")


@pytest.mark.parametrize("change", [{"format": ["jsonl"]}, {"format": None}, {"format": {}}])
def test_a_description_of_no_format_is_refused(tmp_path: Path, units: Units, change: dict[str, object]) -> None:
    export_units(units, "jsonl", tmp_path / "out")
    (tmp_path / "out/units.json").write_text(json.dumps(INFO | change))
    with pytest.raises(VqspeechError, match=r"units\.json: not an export: its format is"):
        import_units(tmp_path / "out")


def test_brackets_without_end_are_damage(tmp_path: Path, units: Units) -> None:
    export_units(units, "jsonl", tmp_path / "out")
    (tmp_path / "out/units.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(VqspeechError, match="out: damaged"):
        import_units(tmp_path / "out")


def test_a_header_that_numpy_cannot_parse_is_damage(tmp_path: Path, units: Units) -> None:
    pytest.importorskip("lhotse")
    export_units(units, "lhotse", tmp_path / "out")
    array = next((tmp_path / "out/arrays").rglob("*.npy"))
    array.write_bytes(array.read_bytes().replace(b"{'descr'", b"((('desc"))
    with pytest.raises(VqspeechError, match="out: damaged"):
        import_units(tmp_path / "out")


def test_an_archive_that_zip_cannot_read_is_damage(tmp_path: Path, units: Units) -> None:
    export_units(units, "npz", tmp_path / "out")
    archive = tmp_path / "out/units.npz"
    # The version of zip that each entry of the directory at the end needs.
    entry = re.compile(rb"(PK\x01\x02..).", re.DOTALL)
    archive.write_bytes(entry.sub(lambda found: found[1] + b"\xff", archive.read_bytes()))
    with pytest.raises(VqspeechError, match="out: damaged: zip file version"):
        import_units(tmp_path / "out")


def test_a_table_that_arrow_cannot_read_is_damage(
    tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    export_units(units, "parquet", tmp_path / "out")

    def refuse(path: Path) -> None:
        raise pyarrow.lib.ArrowNotImplementedError("Integers with more than 64 bits not implemented")

    monkeypatch.setattr("pyarrow.parquet.ParquetFile", refuse)
    with pytest.raises(VqspeechError, match="out: damaged: Integers with more than 64 bits"):
        import_units(tmp_path / "out")


def test_a_manifest_reaches_for_no_other_file_and_runs_nothing(tmp_path: Path, units: Units) -> None:
    pytest.importorskip("lhotse")
    export_units(units, "lhotse", tmp_path / "out")
    with gzip.open(tmp_path / "out/cuts.jsonl.gz", "rt") as file:
        cut = json.loads(file.readline())
    np.save(tmp_path / "elsewhere.npy", np.array([1, 2, 3]))
    trace = tmp_path / "trace"
    for change in (
        {"storage_key": "../../elsewhere.npy"},
        {"storage_type": "numpy_hdf5", "storage_path": f"pipe:touch {trace} #"},
        {"storage_key": str(tmp_path / "elsewhere.npy")},
    ):
        changed = json.loads(json.dumps(cut))
        changed["custom"]["units"]["array"] |= change
        with gzip.open(tmp_path / "out/cuts.jsonl.gz", "wt") as file:
            file.write(json.dumps(changed) + "\n")
        with pytest.raises(VqspeechError, match="not a NumPy file in arrays"):
            import_units(tmp_path / "out")
    assert not trace.exists()


def test_ctm_with_a_gap_is_refused(tmp_path: Path, units: Units) -> None:
    export_units(units, "ctm", tmp_path / "out")
    path = tmp_path / "out/units.ctm"
    path.write_text("".join(line for number, line in enumerate(path.open()) if number != 1))
    with pytest.raises(VqspeechError, match=r"units\.ctm:2: begins at 0\.012000 s"):
        import_units(tmp_path / "out")


def test_only_an_earlier_export_is_replaced_and_only_by_force(tmp_path: Path, units: Units) -> None:
    out = tmp_path / "out"
    export_units(units, "gslm", out)
    with pytest.raises(VqspeechError, match="exists already"):
        export_units(units, "jsonl", out)
    export_units(units, "jsonl", out, force=True)
    assert sorted(path.name for path in out.iterdir()) == ["units.json", "units.jsonl", "utt2spk"]
    # What is refused leaves the earlier one as it was.
    with pytest.raises(VqspeechError, match="leave out --dedup"):
        export_units(units, "fairseq", out, merge=True, force=True)
    assert (out / "units.jsonl").exists()
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.tex").touch()
    with pytest.raises(VqspeechError, match="is not what vqspeech-export wrote"):
        export_units(units, "jsonl", precious, force=True)
    assert (precious / "thesis.tex").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data-wav", "out", "precious"]


def test_what_a_killed_export_left_is_no_hindrance(tmp_path: Path, units: Units) -> None:
    export_units(units, "jsonl", tmp_path / "out")
    (tmp_path / ".out.new").mkdir()
    (tmp_path / ".out.new/units.json").write_text("{}")
    export_units(units, "jsonl", tmp_path / "out", force=True)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert import_units(tmp_path / "out").units.keys() == units.units.keys()


def test_an_export_that_breaks_off_leaves_nothing(
    tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(*_: object) -> Callable[..., None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(base, "write_rows", break_off)
    monkeypatch.setattr("vqspeech.units.formats.kaldi.write_rows", break_off)
    with pytest.raises(OSError, match="No space left"):
        export_units(units, "kaldi-text", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "data-wav"]


def test_data_that_does_not_fit_is_named(tmp_path: Path, units: Units, data: DataDir) -> None:
    more = Units(INFO, {**units.units, "z_9": np.array([1])}, units.speakers)
    with pytest.raises(VqspeechError, match="lacks utterance z_9"):
        export_units(more, "jsonl", tmp_path / "out", data=data)
    longer = Units(INFO, {**units.units, "a_001": np.ones(9, np.int64)}, units.speakers)
    with pytest.raises(VqspeechError, match=r"utterance a_001: 9 units, but .* is 4\.6 frames long"):
        export_units(longer, "jsonl", tmp_path / "out", data=data)
    with pytest.raises(VqspeechError, match="no such folder"):
        import_units(tmp_path / "nowhere")
    with pytest.raises(VqspeechError, match=r"has no units\.json"):
        import_units(tmp_path / "data")


PROMISE = b"\x93NUMPY\x01\x00v\x00%-117s\n" % b"{'descr': '<i8', 'fortran_order': False, 'shape': (1099511627776,), }"


def bomb_npz(folder: Path) -> None:
    """Arrays of zeros that are all but nothing when packed."""
    zeros = np.zeros(10**7, np.int64)
    np.savez_compressed(folder / "units.npz", ids=["a"], lengths=[10**7], units=zeros, durations=zeros)


def promise_npz(folder: Path) -> None:
    """A header of 2^40 values before three."""
    with zipfile.ZipFile(folder / "units.npz", "w") as archive:
        for name in ("ids", "lengths", "units", "durations"):
            archive.writestr(f"{name}.npy", PROMISE + bytes(24))


def promise_npy(folder: Path) -> None:
    (array,) = (folder / "arrays").rglob("a_000*.npy")
    array.write_bytes(PROMISE + bytes(24))


def promise_nothing(folder: Path) -> None:
    """Texts of no length, very many."""
    with zipfile.ZipFile(folder / "units.npz", "w") as archive:
        for name in ("ids", "lengths", "units", "durations"):
            archive.writestr(f"{name}.npy", PROMISE.replace(b"<i8", b"|S0"))


def bomb_texts(folder: Path) -> None:
    """A long text among many short ones."""
    (folder / "units.txt").write_text(f"a|{'1 ' * 40_000}{'9' * 40_000}\n")


def promise_nothing_npy(folder: Path) -> None:
    (array,) = (folder / "arrays").rglob("a_000*.npy")
    array.write_bytes(PROMISE.replace(b"<i8", b"|S0"))


def bomb_gzip(folder: Path) -> None:
    """A line without end."""
    with gzip.open(folder / "cuts.jsonl.gz", "wb") as file:
        for _ in range(80):
            file.write(b" " * 2**20)


def promise_ark(folder: Path) -> None:
    (folder / "units.ark").write_bytes(b"a \0B" + struct.pack("<bi", 4, 2**31 - 1) + bytes(100))


def bomb_parquet(folder: Path) -> None:
    """Many times the same value."""
    import pyarrow
    from pyarrow import parquet

    ones = pyarrow.array([[1] * 10**6])
    table = pyarrow.table({"id": ["a"], "units": ones, "durations": ones})
    parquet.write_table(table, folder / "units.parquet")


BOMBS = [
    ("npz", bomb_npz, "units.npy promises"),
    ("npz", promise_npz, "ids.npy promises"),
    ("npz", promise_nothing, "ids.npy promises"),
    ("gslm", bomb_texts, "expected whole numbers"),
    ("lhotse", promise_npy, "damaged"),
    ("lhotse", promise_nothing_npy, "expected whole numbers"),
    ("lhotse", bomb_gzip, "longer than 67108864 bytes"),
    ("kaldi-ark", promise_ark, "not a binary vector"),
    ("parquet", bomb_parquet, "more than 1000000 values"),
]


@pytest.mark.parametrize(("format", "bomb", "message"), BOMBS)
def test_what_unfolds_beyond_measure_is_refused_before_memory_is_taken(
    tmp_path: Path, units: Units, monkeypatch: pytest.MonkeyPatch, format: str, bomb: Callable, message: str
) -> None:
    monkeypatch.setattr(tables, "MOST_VALUES", 10**6)
    export_units(units, format, tmp_path / "out")
    bomb(tmp_path / "out")
    with little_memory(2**27), pytest.raises(VqspeechError, match=message):
        import_units(tmp_path / "out")


@pytest.mark.parametrize("format", FORMATS)
def test_speakers_come_back_and_what_is_cut_short_does_not(
    tmp_path: Path, units: Units, data: DataDir, format: str
) -> None:
    speakers = {id: f"s{number % 2}" for number, id in enumerate(sorted(units.units))}
    export_units(Units(units.info, units.units, speakers), format, tmp_path / "out", data=data)
    assert import_units(tmp_path / "out").speakers == speakers


@pytest.mark.parametrize("name", ["kaldi-text", "gslm", "jsonl", "ctm"])
def test_a_file_cut_at_a_line_or_within_is_damage(tmp_path: Path, units: Units, name: str) -> None:
    write_units(tmp_path / "units", units.info, units.units)
    export_units(read_units(tmp_path / "units"), name, tmp_path / "out")
    path = next(path for path in (tmp_path / "out").glob("units.*") if path.suffix != ".json")
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    with pytest.raises(VqspeechError, match=r"units.*: cut short: the last line has no end"):
        import_units(tmp_path / "out")
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(VqspeechError, match=r"out: damaged: holds \d+ (utterances|frames), its units.json tells of"):
        import_units(tmp_path / "out")


def test_labels_of_another_recording_are_damage(tmp_path: Path, units: Units, data: DataDir) -> None:
    export_units(units, "fairseq", tmp_path / "out", data=data)
    lines = (tmp_path / "out/out.km").read_text().splitlines(keepends=True)
    (tmp_path / "out/out.km").write_text(lines[0].rstrip() + " 1 1 1\n" + "".join(lines[1:]))
    with pytest.raises(VqspeechError, match=r"out\.km:1: \d+ labels for \d+ samples of utterance"):
        import_units(tmp_path / "out")
