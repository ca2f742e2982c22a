"""BPE of units: by hand, against a plain implementation, and as sentencepiece itself opens it."""

import io
import json
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.speech import make_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.units.bpe import Bpe
from vqspeech.units.characters import from_characters, to_characters
from vqspeech.units.formats import FORMATS
from vqspeech.units.store import Units
from vqspeech.units.tokens import Tokens
from vqspeech.units.transfer import bpe_of_export, export_units, read_units_or_export, train_bpe

sentencepiece = pytest.importorskip("sentencepiece")

CODES = 16
INFO = {"codes": CODES, "hop": 64, "sample_rate": 16000, "rate": 250.0, "model_sha256": "0" * 64, "data": "data/train"}


def made_up(ids: list[str], seed: int, info: dict[str, object] = INFO) -> Units:
    """Units in which some follow others often, each for some frames."""
    rng = np.random.default_rng(seed)
    phrases = [np.array(phrase) for phrase in ([1, 4], [7, 2, 9], [3, 0, 5], [8, 6, 10, 1, 11])]
    rows = {}
    for id in ids:
        row = np.concatenate([phrases[rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])] for _ in range(12)])
        rows[id] = np.repeat(row, rng.integers(1, 4, size=len(row)))
    return Units(dict(info), rows, {id: id[0] for id in ids})


@pytest.fixture
def train() -> Units:
    return made_up([f"t_{number}" for number in range(20)], seed=1)


@pytest.fixture
def test() -> Units:
    """Units of which training has no 15."""
    made = made_up(["b_1", "a_1"], seed=2)
    made.units["a_1"] = np.append(made.units["a_1"], [15, 15, 3])
    return made


def test_a_piece_by_hand() -> None:
    bpe = Bpe.train([np.array([3, 7, 3, 7, 3, 7, 1])], codes=8, size=10, trained_on="data")
    assert len(bpe) == 10
    assert from_characters(bpe.names[1]) == [3, 7]  # the only merge; the rest are <unk> and the eight units
    pieces = bpe.pieces(Tokens(np.array([3, 7, 1, 3, 7]), np.array([2, 1, 4, 1, 1])))
    assert [from_characters(bpe.names[piece]) for piece in pieces.units] == [[3, 7], [1], [3, 7]]
    assert pieces.durations.tolist() == [3, 4, 2]
    assert bpe.units(pieces.units).tolist() == [3, 7, 1, 3, 7]
    assert bpe.count(pieces.units) == 5


def merges(rows: list[list[int]], count: int) -> list[tuple[int, ...]]:
    """Byte-pair encoding as it is defined: the commonest pair becomes one, again and again."""
    found: list[tuple[int, ...]] = []
    texts = [[(unit,) for unit in row] for row in rows]
    for _ in range(count):
        left, right = Counter(pair for text in texts for pair in pairwise(text)).most_common(1)[0][0]
        found.append(left + right)
        for text in texts:
            at = 0
            while at + 1 < len(text):
                if (text[at], text[at + 1]) == (left, right):
                    text[at : at + 2] = [left + right]
                at += 1
    return found


def test_pieces_are_those_of_a_plain_implementation() -> None:
    # The counts of the pairs differ so clearly that the order of the merges is no matter of taste.
    phrases = {(1, 2): 90, (3, 4, 5): 50, (6, 7): 25, (0, 8): 12}
    rng = np.random.default_rng(0)
    rows = [list(phrase) for phrase, count in phrases.items() for _ in range(count)]
    rows = [[unit for index in rng.permutation(len(rows))[:40] for unit in rows[index]] for _ in range(20)]
    expected = merges(rows, 4)
    bpe = Bpe.train(map(np.array, rows), codes=9, size=1 + 9 + 4, trained_on="data")
    assert [tuple(from_characters(name)) for name in bpe.names[1:5]] == expected


def test_long_utterances_are_learnt_from_too() -> None:
    row = np.tile([2, 5, 2, 5, 9], 40_000)
    bpe = Bpe.train([row], codes=CODES, size=CODES + 3, trained_on="data")
    assert to_characters([2, 5]) in bpe.names
    assert bpe.units(bpe.pieces(Tokens(row, np.ones_like(row))).units).tolist() == row.tolist()


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("format", [name for name in FORMATS if name != "fairseq"])
def test_units_come_back_from_pieces(tmp_path: Path, train: Units, test: Units, format: str, merge: bool) -> None:
    bpe = train_bpe(train, test, 30, merge)
    export_units(test, format, tmp_path / "out", merge=merge, bpe=bpe)
    back = read_units_or_export(tmp_path / "out")
    assert {id: row.tolist() for id, row in back.units.items()} == {id: row.tolist() for id, row in test.units.items()}
    assert back.info == INFO
    assert json.loads((tmp_path / "out/units.json").read_text())["bpe"] == {"pieces": 30, "trained_on": "data/train"}


def test_sentencepiece_reads_what_kaldi_and_espnet_get(tmp_path: Path, train: Units, test: Units) -> None:
    bpe = train_bpe(train, test, 30, merge=True)
    for format in ("kaldi-text", "espnet"):
        export_units(test, format, tmp_path / format, merge=True, bpe=bpe)
    text = dict(line.split() for line in (tmp_path / "espnet/text.rm.km16").read_text().splitlines())
    opened = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "espnet/bpe.model"))
    for line in (tmp_path / "kaldi-text/units.txt").read_text().splitlines():
        id, *pieces = line.split()
        assert opened.decode([int(piece) for piece in pieces]) == text[id]
        assert len(pieces) < len(text[id])
        assert opened.encode(text[id]) == [int(piece) for piece in pieces]
    tokens = (tmp_path / "espnet/tokens.txt").read_text().splitlines()
    assert tokens == ["<blank>", "<unk>", *(opened.id_to_piece(piece) for piece in range(1, 30)), "<sos/eos>"]
    assert (tmp_path / "kaldi-text/tokens.txt").read_text().splitlines()[-1] == "29 30"


def test_tokens_and_times_are_those_of_pieces(tmp_path: Path, train: Units, test: Units) -> None:
    bpe = train_bpe(train, test, 30, merge=True)
    for format in ("jsonl", "ctm"):
        export_units(test, format, tmp_path / format, merge=True, bpe=bpe)
    first = json.loads((tmp_path / "jsonl/units.jsonl").read_text().splitlines()[0])
    assert sum(first["durations"]) == len(test.units[first["id"]])
    lines = [line.split() for line in (tmp_path / "ctm/units.ctm").read_text().splitlines() if line.startswith("a_1")]
    assert [int(piece) for *_, piece in lines] == first["units"]
    assert [round(float(length) * 250) for *_, length, _ in lines] == first["durations"]
    begins = np.cumsum(first["durations"]) - first["durations"]
    assert [round(float(begin) * 250) for _, _, begin, _, _ in lines] == begins.tolist()


def test_all_splits_share_what_was_learnt_from_training(tmp_path: Path, train: Units, test: Units) -> None:
    export_units(train, "gslm", tmp_path / "train", merge=True, bpe=train_bpe(train, train, 30, merge=True))
    export_units(test, "gslm", tmp_path / "test", merge=True, bpe=bpe_of_export(tmp_path / "train", test, merge=True))
    export_units(test, "gslm", tmp_path / "learnt", merge=True, bpe=train_bpe(train, test, 30, merge=True))
    for name in ("bpe.model", "units.txt", "units.json"):
        assert (tmp_path / "test" / name).read_bytes() == (tmp_path / "learnt" / name).read_bytes()
    assert (tmp_path / "train/bpe.model").read_bytes() == (tmp_path / "test/bpe.model").read_bytes()


def test_a_bpe_that_does_not_fit_is_refused(tmp_path: Path, train: Units, test: Units) -> None:
    other = made_up(["x_1"], 3, {**INFO, "model_sha256": "1" * 64})
    with pytest.raises(VqspeechError, match="too small: there are 16 units, and <unk>"):
        train_bpe(train, test, CODES, merge=True)
    with pytest.raises(VqspeechError, match=r"no BPE of 100000 pieces: .* <= \d+"):
        train_bpe(train, test, 100_000, merge=True)
    with pytest.raises(VqspeechError, match="a BPE of another model's units: model_sha256 1111"):
        train_bpe(other, test, 30, merge=True)
    export_units(train, "gslm", tmp_path / "plain")
    export_units(train, "gslm", tmp_path / "kept", bpe=train_bpe(train, train, 30, merge=False))
    with pytest.raises(VqspeechError, match="plain: was exported without --bpe"):
        bpe_of_export(tmp_path / "plain", test, merge=False)
    with pytest.raises(VqspeechError, match="kept is of runs kept: leave out --dedup"):
        bpe_of_export(tmp_path / "kept", test, merge=True)
    with pytest.raises(VqspeechError, match="another model's units"):
        bpe_of_export(tmp_path / "kept", other, merge=False)
    data = make_data_dir(tmp_path / "data", ("t",), utterances=1, seconds=0.1)
    with pytest.raises(VqspeechError, match="leave out --dedup and --bpe"):
        one = Units(INFO, {"t_000": np.zeros(25, np.int64)})
        export_units(one, "fairseq", tmp_path / "out", data=data, bpe=train_bpe(train, one, 30, merge=False))


@pytest.mark.parametrize("format", ["gslm", "jsonl", "ctm"])
def test_damage_is_told_in_a_line(tmp_path: Path, train: Units, format: str) -> None:
    folder = tmp_path / "out"
    export_units(train, format, folder, merge=True, bpe=train_bpe(train, train, 30, merge=True))
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    smaller = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([to_characters(range(15))]),
        model_writer=smaller,
        vocab_size=16,
        model_type="bpe",
        add_dummy_prefix=False,
        bos_id=-1,
        eos_id=-1,
        minloglevel=2,
    )
    for name, content, message in (
        ("bpe.model", b"x" * 99, r"out/bpe\.model: not a sentencepiece model"),
        ("bpe.model", whole["bpe.model"].replace("\u4e00".encode(), b"\xff\xff\xff"), r"not a sentencepiece model"),
        ("bpe.model", smaller.getvalue(), r"out/bpe\.model: a BPE that does not know unit 15"),
        ("bpe.model", None, r"out: has no bpe\.model"),
        ("durations.txt", None, r"durations\.txt should tell"),
        ("durations.txt", b"t_0 1 1\n", r"utterance t_0 needs \d+ durations"),
        ("units.json", whole["units.json"].replace(b": 30", b": 31"), "has 30 pieces, units.json tells of 31"),
    ):
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
        with pytest.raises(VqspeechError, match=message):
            read_units_or_export(folder)
        (folder / name).write_bytes(whole[name])


@pytest.mark.parametrize(
    ("piece", "message"), [(30, "unknown piece 30: there are pieces 0 to 29"), (0, "unknown unit -")]
)
def test_a_piece_that_is_none_is_named(tmp_path: Path, train: Units, piece: int, message: str) -> None:
    folder = tmp_path / "out"
    export_units(train, "gslm", folder, bpe=train_bpe(train, train, 30, merge=False))
    with (folder / "units.txt").open("a") as file:
        file.write(f"z|1 {piece}\n")
    with pytest.raises(VqspeechError, match=rf"units\.txt:21: utterance z: {message}"):
        read_units_or_export(folder)


def test_pieces_that_unfold_without_end_are_refused(
    tmp_path: Path, train: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_units(train, "gslm", tmp_path / "out", bpe=train_bpe(train, train, 30, merge=False))
    monkeypatch.setattr("vqspeech.units.transfer.MOST_FRAMES", 100)
    with pytest.raises(VqspeechError, match="more than 100 units in all"):
        read_units_or_export(tmp_path / "out")


def test_the_extra_that_brings_sentencepiece_is_named(monkeypatch: pytest.MonkeyPatch, train: Units) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(VqspeechError, match=r"not installed: sentencepiece \(pip install 'vqspeech\[formats\]'\)"):
        train_bpe(train, train, 30, merge=True)
