"""The split rules, on corpora made for each of them."""

import hashlib
from collections import defaultdict

import pytest

from vqspeech.data.splits import NAMES, Splits, normalise_text, split
from vqspeech.data.utterance import Utterance
from vqspeech.data.vctk import UNSEEN


def corpus(texts_of: dict[str, list[str]]) -> list[Utterance]:
    return [
        Utterance(f"{speaker}-{number:03d}", speaker, f"{number}.wav", text)
        for speaker, texts in texts_of.items()
        for number, text in enumerate(texts)
    ]


def seconds(utterances: list[Utterance], each: float = 2.0) -> dict[str, float]:
    return {utterance.id: each for utterance in utterances}


def sentences(count: int, of: str = "sentence") -> list[str]:
    return [f"{of} number {number}" for number in range(count)]


def check(utterances: list[Utterance], splits: Splits) -> dict[str, list[Utterance]]:
    """Check what holds for every division, and return the utterances of each split."""
    by_id = {utterance.id: utterance for utterance in utterances}
    parts = {name: [by_id[id] for id in getattr(splits, name)] for name in NAMES}
    texts = {name: {normalise_text(u.text or u.id) for u in part} for name, part in parts.items()}
    speakers = {name: {u.speaker for u in part} for name, part in parts.items()}
    held_out_for_test = texts["test"] | texts["test_unseen"]
    held_out_for_dev = texts["dev"] | texts["dev_unseen"]
    assert not texts["train"] & (held_out_for_test | held_out_for_dev)
    assert not held_out_for_test & held_out_for_dev
    assert speakers["dev"] | speakers["test"] <= speakers["train"]
    assert not speakers["train"] & (speakers["dev_unseen"] | speakers["test_unseen"])
    assert set(splits.test_parallel) <= set(splits.test)
    readers = defaultdict(set)
    for utterance in parts["test"]:
        readers[normalise_text(utterance.text or utterance.id)].add(utterance.speaker)
    several = {text for text, names in readers.items() if len(names) > 1}
    assert texts["test_parallel"] == several
    once = [id for name in NAMES if name != "test_parallel" for id in getattr(splits, name)] + splits.left_out
    assert sorted(once) == sorted(by_id)
    assert [name for name, _ in splits.items()] == [name for name in NAMES if parts[name]]
    return parts


def test_texts_are_compared_without_case_and_punctuation():
    assert (
        normalise_text("  “Don\N{RIGHT SINGLE QUOTATION MARK}t”, she said -- GO to\tNo. 10! ")
        == "don't she said go to no 10"
    )
    assert normalise_text("'Tis café_bar") == "tis café bar"


def test_shares_and_unseen_speakers_of_a_large_corpus():
    texts = {f"s{number:02d}": sentences(200, f"what only {number} reads,") for number in range(20)}
    for of_speaker in texts.values():
        of_speaker += sentences(100, "what all read,")
    utterances = corpus(texts)
    splits = split(utterances, seconds(utterances))
    parts = check(utterances, splits)
    seen = len(splits.train) + len(splits.dev) + len(splits.test)
    assert len(splits.test) / seen == pytest.approx(0.10, abs=0.02)
    assert len(splits.dev) / seen == pytest.approx(0.05, abs=0.02)
    assert len({u.speaker for u in parts["train"]}) == 18
    assert len({u.speaker for u in parts["test_unseen"]}) == len({u.speaker for u in parts["dev_unseen"]}) == 1
    assert {u.speaker for u in parts["test_parallel"]} == {u.speaker for u in parts["train"]}
    # An unseen speaker keeps what no one else reads and loses what is trained on.
    assert len(splits.left_out) == pytest.approx(2 * 100 * 0.9, abs=15)


def test_the_same_corpus_in_another_order_is_divided_alike():
    utterances = corpus({f"s{number}": sentences(30, f"{number % 3}") for number in range(6)})
    assert split(utterances, seconds(utterances)) == split(utterances[::-1], seconds(utterances))


def fraction(text: str) -> float:
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) / 16**16


def test_the_hash_of_a_text_decides_where_it_goes():
    utterances = corpus({"anna": sentences(300), "ben": sentences(300)})
    splits = split(utterances, seconds(utterances))
    text = {utterance.id: utterance.text for utterance in utterances}
    assert all(fraction(text[id]) < 0.10 for id in splits.test)
    assert all(0.10 <= fraction(text[id]) < 0.15 for id in splits.dev)
    assert all(fraction(text[id]) >= 0.15 for id in splits.train)


def test_a_new_speaker_moves_no_text():
    old = corpus({f"s{number}": sentences(60) for number in range(8)})
    new = old + corpus({"loud": sentences(60)})
    durations = seconds(old) | seconds(new[len(old) :], each=100.0)
    before, after = split(old, durations), split(new, durations)
    assert set(before.test) <= set(after.test) and set(before.train) <= set(after.train)


def test_unseen_speakers_never_come_from_the_half_with_the_most_speech():
    utterances = corpus({f"s{number:02d}": sentences(20) for number in range(30)})
    durations = {u.id: 1.0 + (int(u.speaker[1:]) * 7 % 30) for u in utterances}
    parts = check(utterances, split(utterances, durations))
    unseen = {u.speaker for name in ("dev_unseen", "test_unseen") for u in parts[name]}
    assert len(unseen) == 3
    assert all(int(speaker[1:]) * 7 % 30 < 15 for speaker in unseen)


def test_vctk_has_its_own_unseen_speakers():
    names = ["p225", "p232", "p257", "p287", "p294", "p300"]
    utterances = corpus({name: sentences(24) + sentences(50, name) for name in names})
    parts = check(utterances, split(utterances, seconds(utterances), UNSEEN))
    assert {u.speaker for u in parts["test_unseen"]} == {"p232", "p257"}
    assert {u.speaker for u in parts["dev_unseen"]} == {"p287", "p294"}
    assert {u.speaker for u in parts["train"]} == {"p225", "p300"}


@pytest.mark.parametrize("present", [["p232"], ["p232", "p257"], ["p287"], ["p257", "p294"]])
def test_some_of_vctks_unseen_speakers_serve_both_splits(present):
    utterances = corpus({name: sentences(24) + sentences(20, name) for name in ["p225", "p226", *present]})
    parts = check(utterances, split(utterances, seconds(utterances), UNSEEN))
    assert {u.speaker for name in ("dev_unseen", "test_unseen") for u in parts[name]} == set(present)
    assert parts["dev_unseen"] and parts["test_unseen"]


def test_prescribed_speakers_who_are_alone_are_trained_on():
    utterances = corpus({"p232": sentences(20), "p287": sentences(20)})
    parts = check(utterances, split(utterances, seconds(utterances), UNSEEN))
    assert {u.speaker for u in parts["train"]} == {"p232", "p287"}


@pytest.mark.parametrize("speakers", [3, 4, 5])
@pytest.mark.parametrize("texts", [4, 5, 6])
def test_a_tiny_corpus_still_fills_every_split(speakers, texts):
    utterances = corpus({f"p{225 + number}": sentences(texts) for number in range(speakers)})
    splits = split(utterances, seconds(utterances))
    parts = check(utterances, splits)
    assert all(parts[name] for name in NAMES) and not splits.notes


def test_splits_that_cannot_be_filled_are_said_to_be_empty():
    utterances = corpus({"anna": sentences(3), "ben": sentences(3)})
    splits = split(utterances, seconds(utterances))
    check(utterances, splits)
    assert splits.train and splits.dev and splits.test and splits.test_parallel
    assert sorted(note.split()[0] for note in splits.notes) == ["dev_unseen", "test_unseen"]


def test_a_single_utterance_is_trained_on():
    utterances = corpus({"anna": ["hello"]})
    splits = split(utterances, seconds(utterances))
    assert splits.train == ["anna-000"] and len(splits.notes) == 5


def test_every_speaker_of_one_clip_is_trained_on_or_unseen():
    texts = {f"one{number:03d}": [f"only {number}"] for number in range(100)}
    texts |= {"many": sentences(100), "more": sentences(100)}
    utterances = corpus(texts)
    parts = check(utterances, split(utterances, seconds(utterances)))
    assert len({u.speaker for u in parts["train"]}) == 102 - 10
    assert len(parts["test_unseen"]) == len(parts["dev_unseen"]) == 5


def test_two_of_one_clip_who_read_the_same_test_text_are_both_trained_on():
    shared = min(sentences(100), key=fraction)
    utterances = corpus({"many": sentences(100), "more": sentences(100), "one": [shared], "two": [shared]})
    durations = seconds(utterances) | {"one-000": 500.0, "two-000": 500.0}
    parts = check(utterances, split(utterances, durations))
    assert {"one", "two"} <= {u.speaker for u in parts["train"]}


def test_without_texts_utterances_are_divided_and_nothing_is_parallel():
    utterances = corpus({f"s{number}": [None] * 50 for number in range(10)})
    splits = split(utterances, seconds(utterances))
    parts = check(utterances, splits)
    assert parts["train"] and parts["dev"] and parts["test"] and parts["dev_unseen"] and parts["test_unseen"]
    assert not splits.left_out
    assert [note.split()[0] for note in splits.notes] == ["test_parallel"]
