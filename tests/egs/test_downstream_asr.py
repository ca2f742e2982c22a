"""egs/downstream_asr: decoding against every path there is, the recogniser against itself, and a tiny run of it all."""

import importlib
import itertools
import json
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from egs.downstream_asr.ctc import collapse, frames_needed, greedy, prefix_beam_search
from egs.downstream_asr.labels import Characters, Pieces, read_labels
from egs.downstream_asr.recogniser import STRIDES, Recogniser, Shape, fitting_stride
from tests.conftest import ROOT, Clone
from tests.speech import make_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.units.store import read_units, write_units

Finished = tuple[Clone, subprocess.CompletedProcess[str]]
FOLDER = ROOT / "egs/downstream_asr"
SHAPE = Shape(codes=7, labels=5, repeat=1, stride=2, width=16, layers=2, kernel=5, dropout=0.0)
TEXTS = ["the cat sat", "the hat", "that cat's hat"]


def random_log_probs(frames: int, labels: int, seed: int) -> np.ndarray:
    logits = torch.randn(frames, labels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (2 * logits).log_softmax(-1).numpy()


def all_paths(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """What every sequence of labels has, by the definition: the sum over all paths that spell it."""
    sums: dict[tuple[int, ...], float] = {}
    frames, labels = log_probs.shape
    for path in itertools.product(range(labels), repeat=frames):
        spelt = tuple(label for label, _ in itertools.groupby(path) if label)
        sums[spelt] = sums.get(spelt, 0.0) + np.exp(log_probs[range(frames), path].sum())
    return sums


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_wide_enough_finds_the_sums_over_all_paths(seed: int) -> None:
    log_probs = random_log_probs(5, 3, seed)
    truth = all_paths(log_probs)
    found = prefix_beam_search(log_probs, beam=100)
    assert set(found) == set(truth)
    assert {prefix: np.exp(value) for prefix, value in found.items()} == pytest.approx(truth)
    assert next(iter(found)) == max(truth, key=truth.get)


def test_a_narrow_beam_keeps_so_many_and_finds_what_greedy_misses() -> None:
    # Every single path through both frames is likeliest as blanks, yet those that spell 1 sum up to more.
    log_probs = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert greedy(log_probs) == ()
    assert next(iter(prefix_beam_search(log_probs, beam=2))) == (1,)
    assert len(prefix_beam_search(random_log_probs(20, 6, 0), beam=3)) == 3


def test_paths_collapse_and_need_frames() -> None:
    assert collapse([0, 1, 1, 0, 1, 2, 2]) == (1, 1, 2)
    assert frames_needed([1, 1, 2]) == 4
    assert frames_needed([]) == 0
    path = [1, 0, 1, 2]
    assert len(path) == frames_needed(collapse(path))


def test_greedy_takes_the_likeliest_label_of_each_frame() -> None:
    log_probs = random_log_probs(30, 4, seed=1)
    assert greedy(log_probs) == collapse(list(log_probs.argmax(1)))


@pytest.mark.parametrize("labels", [Characters.of(TEXTS), Pieces.of(TEXTS, 16)], ids=["characters", "bpe"])
def test_labels_spell_their_text_and_can_be_kept(labels: Characters | Pieces, tmp_path: Path) -> None:
    labels.save(tmp_path)
    for kept in (labels, read_labels(tmp_path)):
        for text in TEXTS:
            encoded = kept.encode(text)
            assert 0 < min(encoded) <= max(encoded) < len(kept)
            assert kept.decode(encoded) == text
    assert len(read_labels(tmp_path)) == len(labels)


def test_pieces_that_the_texts_do_not_give_are_refused() -> None:
    with pytest.raises(VqspeechError, match="no BPE of 5000 pieces"):
        Pieces.of(TEXTS, 5000)


def test_the_alphabet_is_that_of_the_texts() -> None:
    labels = Characters.of(TEXTS)
    assert len(labels) == 1 + len(set("".join(TEXTS)))
    assert labels.decode([labels.label_of[character] for character in " the  hat "]) == "the hat"


@pytest.mark.parametrize(
    ("inputs", "needed", "fits"),
    [(40, 10, (1, 4)), (40, 11, (1, 2)), (40, 40, (1, 1)), (40, 41, (2, 1)), (1, 4, (4, 1))],
)
def test_the_stride_leaves_every_text_its_frames(inputs: int, needed: int, fits: tuple[int, int]) -> None:
    assert fitting_stride({"long": (1000, 10), "short": (inputs, needed)}) == fits


@pytest.mark.parametrize(("repeat", "stride"), STRIDES)
def test_padding_changes_nothing(repeat: int, stride: int) -> None:
    torch.manual_seed(0)
    recogniser = Recogniser(Shape(7, 5, repeat, stride, 16, 2, kernel=5)).eval()
    short, long = torch.randint(1, 7, (1, 9, 2)), torch.randint(1, 7, (1, 14, 2))
    batch = torch.zeros(2, 14, 2, dtype=torch.int64)
    batch[0, :9], batch[1] = short[0], long[0]
    together, lengths = recogniser(batch, torch.tensor([9, 14]))
    assert lengths.tolist() == [-(-9 * repeat // stride), -(-14 * repeat // stride)]
    for row, alone in zip(together, (short, long), strict=True):
        single, length = recogniser(alone, torch.tensor([alone.shape[1]]))
        assert single.shape[1] == length.item()
        assert torch.allclose(row[: length.item()], single[0], atol=1e-5)


def test_log_probabilities_sum_to_one_and_follow_units_and_durations() -> None:
    torch.manual_seed(0)
    recogniser = Recogniser(SHAPE).eval()
    inputs = torch.randint(1, 7, (1, 12, 2))
    log_probs, _ = recogniser(inputs, torch.tensor([12]))
    assert torch.allclose(log_probs.exp().sum(-1), torch.ones(1, 6))
    for column in (0, 1):
        changed = inputs.clone()
        changed[0, 5, column] = 0 if column == 0 else 50
        assert not torch.allclose(recogniser(changed, torch.tensor([12]))[0], log_probs)


def test_every_stride_has_as_many_weights() -> None:
    sizes = {sum(weight.numel() for weight in Recogniser(Shape(7, 5, *s, 16, 2)).parameters()) for s in STRIDES}
    assert len(sizes) == 1


def test_a_saved_recogniser_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    recogniser = Recogniser(SHAPE).eval()
    recogniser.save(tmp_path)
    inputs, lengths = torch.randint(1, 7, (2, 12, 2)), torch.tensor([12, 12])
    assert torch.equal(Recogniser.load(tmp_path)(inputs, lengths)[0], recogniser(inputs, lengths)[0])
    with pytest.raises(VqspeechError, match="holds no recogniser"):
        Recogniser.load(tmp_path / "nowhere")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with data and units of a train and a test split: voices that say nothing, in units that run."""
    randomness = np.random.default_rng(0)
    for split, utterances in (("train", 6), ("test", 2)):
        data = make_data_dir(tmp_path / "data" / split, utterances=utterances)
        texts = {id: f"{split}ing the {TEXTS[number % 3]}" for number, id in enumerate(data.utterances)}
        (data.path / "text").write_text("".join(f"{id} {text.title()}.\n" for id, text in texts.items()))
        rows = {id: randomness.integers(16, size=50).repeat(3) for id in data.utterances}
        info = {"codes": 16, "hop": 64, "sample_rate": 16000, "rate": 250.0}
        write_units(tmp_path / "units" / split, info, rows, data.utt2spk)
    return tmp_path


def test_a_tiny_run(clone: Clone, corpus: Path) -> None:
    run = (
        f"bash '{clone.path}/egs/downstream_asr/run.sh' --data data --units units --expdir exp "
        "--inputs 'units mfcc log-mel' --labels bpe --bpe 24 --steps 3 --beam 2 "
        "--train-args '--width 16 --layers 1 --batch-size 4'"
    )
    ran = clone.run(run, cwd=corpus)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    table = (corpus / "exp/RESULTS.test.md").read_text()
    assert table in ran.stdout
    assert "4 utterances of 3 sentences, 0 of them in training too" in table
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert [(row[0], row[3]) for row in rows] == [("our units", "bpe"), ("MFCC k-means", "bpe"), ("log-mel", "bpe")]
    # A run of three is one token, less where a unit follows itself; log-mel has no bitrate.
    assert 70 < float(rows[0][1]) < 84
    assert [row[2] == "-" for row in rows] == [False, False, True]
    assert [row[8] == "-" for row in rows] == [False, True, False]
    results = json.loads((corpus / "exp/results.test.json").read_text())
    for row in results["rows"]:
        low, high = row["beam"]["cer_interval"]
        assert low <= row["beam"]["cer"] <= high

    again = clone.run(run, cwd=corpus)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("done already") == 2 + 3 + 3 + 1

    other = clone.run(run.replace("steps 3", "steps 4"), cwd=corpus)
    assert other.returncode == 1
    assert "asr/units_bpe was trained with other settings: remove it" in other.stderr


@pytest.mark.parametrize("kind", ["mfcc", "random"])
def test_baseline_units_are_as_many_of_the_same_utterances(
    script: Callable[..., None], corpus: Path, kind: str
) -> None:
    script("baseline_units", kind, corpus / "data", corpus / "units", corpus / kind, "train", "test")
    for split in ("train", "test"):
        ours, theirs = (read_units(folder / split) for folder in (corpus / "units", corpus / kind))
        assert {id: len(row) for id, row in ours.units.items()} == {id: len(row) for id, row in theirs.units.items()}
        assert ours.speakers == theirs.speakers
        assert len(set(np.concatenate(list(theirs.units.values())))) == 16


def test_without_options_it_takes_what_the_recipe_made(finished: Finished) -> None:
    clone, _ = finished
    ran = clone.run("bash egs/downstream_asr/run.sh --inputs units --stop-stage 1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    exported = clone.path / "egs/downstream_asr/exp/miniature_tiny/exported/units/train/units.jsonl"
    assert all(json.loads(line)["text"] for line in exported.read_text().splitlines())


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """An export whose units spell the text: 12 utterances, a unit a letter, each of two or three frames."""
    folder = tmp_path / "exported"
    folder.mkdir()
    info = {"codes": 30, "hop": 320, "sample_rate": 16000, "rate": 50.0, "merged": True, "format": "jsonl"}
    (folder / "units.json").write_text(json.dumps(info))
    with (folder / "units.jsonl").open("w") as file:
        for number in range(12):
            text = f"{'ab' * (number % 3)}c {'d' * (1 + number % 2)}e"
            units = [28 if letter == " " else ord(letter) - ord("a") for letter in text for _ in range(2)]
            row = {"id": f"a_{number}", "speaker": "a", "text": text.title(), "audio": "nowhere.wav", "units": units}
            file.write(json.dumps(row | {"durations": [2 + number % 2] * len(units)}) + "\n")
    return folder


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run a script of the folder as `python NAME.py ARGUMENT ...` does, without a new process."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def run(name: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")

    return run


def test_a_seed_gives_the_same_recogniser_whose_loss_falls_and_which_spells(
    script: Callable[..., None], export: Path, tmp_path: Path
) -> None:
    flags = shlex.split("--steps 60 --width 32 --layers 1 --learning-rate 0.01 --seed 3")
    for name in ("one", "two"):
        script("train", export, tmp_path / name, *flags)
    weights = [(tmp_path / name / "recogniser.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    losses = [json.loads(line)["loss"] for line in (tmp_path / "one/loss.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0] / 10

    script("recognise", tmp_path / "one", export, tmp_path / "heard.jsonl", "--beam", 4)
    rows = [json.loads(line) for line in (tmp_path / "heard.jsonl").read_text().splitlines()]
    assert all(row["text"] == row["greedy"] == row["beam"] for row in rows)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"text": "?!"}, "units.jsonl:2: utterance a_1: its text has no words: '?!'"),
        ({"text": None}, "units.jsonl:2: utterance a_1: no text or audio; export it with --data"),
        ({"units": [1, 30], "durations": [1, 1]}, "units.jsonl:2: utterance a_1: a unit that is none of 0 to 29"),
        ({"units": [1], "durations": [9]}, "utterance a_1: too short for its text, even with each input 4 times"),
    ],
)
def test_what_cannot_be_trained_on_is_named_in_one_line(
    script: Callable[..., None], export: Path, changes: dict[str, object], complaint: str
) -> None:
    rows = [json.loads(line) for line in (export / "units.jsonl").read_text().splitlines()]
    rows[1] |= changes
    (export / "units.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SystemExit, match=re.escape(complaint)):
        script("train", export, export.parent / "out")
    assert not (export.parent / "out").exists()


def test_units_of_another_number_than_those_of_training_are_refused(
    script: Callable[..., None], export: Path, tmp_path: Path
) -> None:
    Recogniser(Shape(16, 5, 1, 1, 16, 1)).save(tmp_path)
    Characters("abcd").save(tmp_path)
    with pytest.raises(SystemExit, match=r"exported: 30 different units, .* was trained on 16"):
        script("recognise", tmp_path, export, tmp_path / "heard.jsonl")


def test_units_that_the_data_lack_are_refused(script: Callable[..., None], tmp_path: Path) -> None:
    make_data_dir(tmp_path / "data/train", speakers=("a",), utterances=2)
    info = {"codes": 4, "hop": 64, "sample_rate": 16000, "rate": 250.0}
    write_units(tmp_path / "units/train", info, {"a_000": np.zeros(150, int), "b_000": np.zeros(150, int)})
    with pytest.raises(SystemExit, match=r"data/train: lacks utterance b_000, which .*units/train has"):
        script("baseline_units", "mfcc", tmp_path / "data", tmp_path / "units", tmp_path / "out", "train")
    assert not (tmp_path / "out").exists()


def test_rates_are_those_worked_out_by_hand(script: Callable[..., None]) -> None:
    score = importlib.import_module("score").score
    texts = ["the cat", "a dog"]
    ours = [{"text": text, "greedy": "", "beam": beam} for text, beam in zip(texts, ["the hat", "a dog"], strict=True)]
    theirs = [{"text": text, "beam": beam} for text, beam in zip(texts, ["he cats", "dog"], strict=True)]
    found = score(ours, theirs)
    assert (found["greedy"]["cer"], found["greedy"]["wer"]) == (1, 1)
    # One letter of twelve; one word of four.
    assert (found["beam"]["cer"], found["beam"]["wer"]) == (pytest.approx(1 / 12), 0.25)
    # The others lose a letter, add one, and lose "a ": four.
    assert found["difference"] == pytest.approx((1 - 4) / 12)
    # Drawn twice, the first utterance alone gives (1 - 2) / 7, the second (0 - 2) / 5.
    assert found["difference_interval"] == pytest.approx([-2 / 5, -1 / 7])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--inputs 'units wav2vec'", "no --inputs wav2vec"),
        ("--labels words", "no --labels words"),
        ("--steps many", "--steps is a whole number"),
        ("--data . --units nowhere", "./train: bash recipes/vctk/run.sh makes the miniature's"),
        ("corpus", "options only, not 'corpus'"),
    ],
)
def test_a_mistake_is_told_in_one_line_before_any_work(clone: Clone, options: str, complaint: str) -> None:
    ran = clone.run(f"bash egs/downstream_asr/run.sh {options}")
    assert ran.returncode == 2
    assert complaint in ran.stderr
    assert ran.stderr.count("\n") == 1
    assert ran.stdout == ""


def test_every_option_that_the_readme_names_exists(clone: Clone) -> None:
    known = clone.run("bash egs/downstream_asr/run.sh --help").stdout + (FOLDER / "train.py").read_text()
    commands = re.findall(r"^bash egs/downstream_asr/run\.sh(?:.*\\\n)*.*$", (FOLDER / "README.md").read_text(), re.M)
    assert len(commands) == 4
    for option in re.findall(r"--[a-z-]+", " ".join(commands)):
        assert option in known, option


def test_help_tells_every_option(clone: Clone) -> None:
    ran = clone.run("bash egs/downstream_asr/run.sh --help")
    assert ran.returncode == 0
    source = (FOLDER / "run.sh").read_text()
    defaults = source[: source.index("help_message=")]
    for name in [line.split("=")[0] for line in defaults.splitlines() if "=" in line]:
        assert f"--{name.replace('_', '-')} " in ran.stdout
