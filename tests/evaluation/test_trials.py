from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.speech import make_data_dir
from tests.tiny import save_tiny_model
from vqspeech.data.kaldi import DataDir, read_data_dir, write_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.trials import (
    Trial,
    choose,
    choose_parallel,
    choose_trials,
    default_targets,
    merge,
    read_trials,
)

GENDERS = {"t": "f", "u": "m", **{f"f{n}": "f" for n in range(4)}, **{f"m{n}": "m" for n in range(4)}}
SEEN = ("t", "u", "f0", "f1", "m0", "m1")


def data_dir(utterances: int = 2, speakers: tuple[str, ...] = tuple(GENDERS)) -> DataDir:
    utt2spk = {f"{speaker}_{n}": speaker for speaker in speakers for n in range(utterances)}
    texts = {utterance: f"text {utterance[-1]}" for utterance in utt2spk}
    return DataDir(Path("d"), dict.fromkeys(utt2spk, Path("x.flac")), utt2spk, texts)


def test_every_target_gets_as_many_of_every_kind_and_nobody_is_used_more_than_others() -> None:
    data = data_dir()
    trials = choose_trials(data, SEEN, GENDERS, ["t", "u"], 16)
    kinds = Counter()
    for utterance, target in trials:
        speaker = data.utt2spk[utterance]
        assert speaker != target
        kinds[target, speaker in SEEN, GENDERS[speaker] == GENDERS[target]] += 1
    assert kinds == dict.fromkeys(
        ((t, seen, same) for t in "tu" for seen in (True, False) for same in (True, False)), 2
    )
    assert len({trial.utterance for trial in trials}) == 16
    # 8 unseen trials from 4 unseen speakers
    uses = Counter(data.utt2spk[trial.utterance] for trial in trials)
    assert all(uses[speaker] == 2 for speaker in ("f2", "f3", "m2", "m3"))


def test_where_a_kind_runs_dry_the_others_fill_in_and_no_trial_comes_twice() -> None:
    # To t: of its gender one unseen speaker, of the other one seen; two utterances each.
    data = data_dir(speakers=("t", "f2", "m0"))
    trials = choose_trials(data, SEEN, GENDERS, ["t"], 3)
    assert {data.utt2spk[utterance] for utterance, _ in trials} == {"f2", "m0"}
    everything = choose_trials(data, SEEN, GENDERS, ["t"], 99)
    assert sorted(everything) == [Trial(id, "t") for id in ("f2_0", "f2_1", "m0_0", "m0_1")]
    assert choose_trials(data, SEEN, {}, ["t"], 99) != []
    assert choose_trials(data_dir(speakers=("t",)), SEEN, GENDERS, ["t"], 9) == []


def test_parallel_trials_are_of_texts_that_the_target_reads() -> None:
    data = data_dir(speakers=("t", "u", "f0"))
    del data.texts["u_1"]
    found = choose_parallel(data, ["t", "u"], 99)
    assert sorted(found) == sorted(
        [Trial("u_0", "t"), Trial("f0_0", "t"), Trial("f0_1", "t"), Trial("t_0", "u"), Trial("f0_0", "u")]
    )
    assert [trial.target for trial in found] == ["t", "u", "t", "u", "t"]
    assert choose_parallel(data, ["t", "u"], 2) == found[:2]


def test_the_voices_that_come_with_the_package_are_the_targets_of_models_that_know_them() -> None:
    assert default_targets(["a", "slt", "p225"]) == ["p225", "slt"]
    assert default_targets(["a", "b"]) == ["a", "b"]


def with_texts(path: Path, speakers: tuple[str, ...], texts: list[str]) -> Path:
    data = make_data_dir(path.parent / f"made-{path.name}", speakers=speakers, utterances=len(texts), seconds=1.0)
    said = {utterance: texts[int(utterance[-3:])] for utterance in data.utterances}
    write_data_dir(replace(data, path=path, texts=said))
    return path


def test_what_the_model_was_trained_on_and_what_is_too_short_is_left_out(tmp_path: Path) -> None:
    first = with_texts(tmp_path / "test", ("a",), ["One two.", "Three.", "Four."])
    second = with_texts(tmp_path / "test_unseen", ("b",), ["One, two!"])
    (first / "utt2dur").write_text("a_000 1\na_001 0.9\na_002 1\n")
    assert merge([first, second], {"four"}, tmp_path).utterances == ["a_000", "b_000"]


def test_what_is_written_is_all_that_conversion_and_judges_need(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", ("a", "b"))
    train = with_texts(tmp_path / "train", ("a", "b"), ["zero"])
    test = with_texts(tmp_path / "test", ("a", "b"), ["one", "two"])
    unseen = with_texts(tmp_path / "test_unseen", ("c",), ["three", "four", "five"])
    choose([test, unseen], train, tmp_path / "out", conversions=4, parallel=1, model=tmp_path / "model")
    trials, parallel, copies = (read_trials(tmp_path / "out" / name) for name in ("trials", "parallel", "copies"))
    assert Counter(trial.target for trial in trials) == {"a": 2, "b": 2}
    assert {trial.utterance[0] for trial in trials if trial.target == "a"} == {"b", "c"}
    assert sorted(copies) == sorted(
        {Trial(utterance, utterance[0]) for utterance, _ in trials if utterance[0] in ("a", "b")}
    )
    ((utterance, target),) = parallel
    reading = f"{target}{utterance[1:]}"
    sources = read_data_dir(tmp_path / "out/sources")
    assert set(sources.utterances) == {utterance, reading, *(trial.utterance for trial in trials)}


def test_targets_that_cannot_be_scored_are_refused(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "model", ("a", "b"))
    train = with_texts(tmp_path / "train", ("a",), ["zero"])
    test = with_texts(tmp_path / "test", ("a",), ["one"])

    def chosen(targets: str) -> None:
        choose([test], train, tmp_path / "out", conversions=4, parallel=1, targets=targets, model=tmp_path / "model")

    with pytest.raises(VqspeechError, match="knows no speaker 'z'"):
        chosen("a,z")
    with pytest.raises(VqspeechError, match="train has no speech of target b"):
        chosen("b")
    with pytest.raises(VqspeechError, match=r"no utterance of .*test to convert"):
        chosen("a")
    assert not (tmp_path / "out").exists()
