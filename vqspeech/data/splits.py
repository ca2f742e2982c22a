"""Which utterances are trained on and which are held out: by hash of the text, never by chance.

1. Unseen speakers are only sources of conversions. They are those that the corpus prescribes, if it has any;
   else a tenth of the speakers (at least one of three), lowest hash of the name first, never from the half of
   the speakers with the most speech; by turns for `test_unseen` and `dev_unseen`. A lone one serves both.
2. A text goes to test (10 %), dev (5 %) or train by its hash, with all its readings by the other, the seen
   speakers. For a seen speaker left without training speech, the text of theirs that the fewest read goes to
   train: so the speakers of train are all the seen ones.
3. A text that only unseen speakers read goes where they need it, by its hash if both kinds read it. Their
   readings of test texts make `test_unseen` and of dev texts `dev_unseen`; other readings are left out.
4. While a split is empty, the text that fills the most empty splits by its move to test or dev moves there;
   of several one from train, then the one with the lowest hash. No move may empty another split or leave a
   seen speaker without training speech.
5. `test_parallel` holds the test utterances whose text several seen speakers read.

An utterance without text counts as a text of its own.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from vqspeech.data.utterance import Utterance

TEST_SHARE = 0.10
DEV_SHARE = 0.05
UNSEEN_SHARE = 0.10
NAMES = ("train", "dev", "test", "dev_unseen", "test_unseen", "test_parallel")


@dataclass(frozen=True)
class Splits:
    """Sorted utterance ids of each split; `test_parallel` is part of `test`."""

    train: list[str]
    dev: list[str]
    test: list[str]
    dev_unseen: list[str]
    test_unseen: list[str]
    test_parallel: list[str]
    left_out: list[str] = field(default_factory=list)
    """Readings by unseen speakers of texts that have another use."""
    notes: list[str] = field(default_factory=list)

    def items(self) -> list[tuple[str, list[str]]]:
        """Return name and ids of the splits that are not empty."""
        return [(name, ids) for name in NAMES if (ids := getattr(self, name))]


def split(
    utterances: Iterable[Utterance],
    durations: Mapping[str, float],
    prescribed: Mapping[str, tuple[str, ...]] | None = None,
) -> Splits:
    """Divide utterances by the rules above.

    `durations` are seconds of each utterance; `prescribed` names unseen speakers as `Corpus.unseen` does.
    """
    utterances = sorted(utterances, key=lambda utterance: utterance.id)
    speech: dict[str, float] = defaultdict(float)
    for utterance in utterances:
        speech[utterance.speaker] += durations[utterance.id]
    division = _Division(utterances, *unseen_speakers(speech, prescribed or {}))
    division.give_everyone_training_speech()
    division.fill_empty_splits()
    placed = division.place()
    notes = [f"{name} is empty: the corpus has too few speakers or texts" for name in NAMES if not placed[name]]
    return Splits(**{name: placed[name] for name in NAMES}, left_out=placed["left_out"], notes=notes)


def normalise_text(text: str) -> str:
    """Return a text as it is compared: lower-case words of letters, digits and apostrophes, single spaces."""
    straight = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", straight))


def unseen_speakers(
    speech: Mapping[str, float], prescribed: Mapping[str, tuple[str, ...]]
) -> tuple[set[str], set[str]]:
    """Return the speakers of `test_unseen` and of `dev_unseen`, given the seconds of speech of all speakers.

    Prescribed speakers count only where others remain to train on.
    """
    test, dev = (
        [speaker for speaker in prescribed.get(name, ()) if speaker in speech] for name in ("test_unseen", "dev_unseen")
    )
    if speech.keys() <= {*test, *dev}:
        test, dev = [], []
    if not (test and dev):
        by_turns = sorted(test + dev, key=_hash) or _tenth_of_speakers(speech)
        test, dev = by_turns[0::2], by_turns[1::2] or by_turns
    return set(test), set(dev)


def _tenth_of_speakers(speech: Mapping[str, float]) -> list[str]:
    if len(speech) < 3:
        return []
    by_speech = sorted(speech, key=lambda speaker: (speech[speaker], speaker))
    candidates = by_speech[: len(speech) // 2]
    return sorted(candidates, key=_hash)[: max(1, round(UNSEEN_SHARE * len(speech)))]


def _hash(text: str) -> float:
    """Return a number in [0, 1) that depends on the text alone: the head of its SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


class _Division:
    """Texts on their way to train, dev and test."""

    def __init__(self, utterances: list[Utterance], test_unseen: set[str], dev_unseen: set[str]) -> None:
        self.utterances = utterances
        self.test_unseen, self.dev_unseen = test_unseen, dev_unseen
        self.text = {utterance.id: normalise_text(utterance.text or "") or utterance.id for utterance in utterances}
        self.unseen = test_unseen | dev_unseen
        self.readers: dict[str, set[str]] = defaultdict(set)
        for utterance in utterances:
            self.readers[self.text[utterance.id]].add(utterance.speaker)
        self.texts_of_seen: dict[str, list[str]] = defaultdict(list)
        for text in self.readers:
            for speaker in self._seen_readers(text):
                self.texts_of_seen[speaker].append(text)
        self.place_of = {text: self._place_by_hash(text) for text in self.readers}

    def _seen_readers(self, text: str) -> set[str]:
        return self.readers[text] - self.unseen

    def _place_by_hash(self, text: str) -> str:
        number = _hash(text)
        if self._seen_readers(text):
            return "test" if number < TEST_SHARE else "dev" if number < TEST_SHARE + DEV_SHARE else "train"
        for_test = self.readers[text] & self.test_unseen
        for_dev = self.readers[text] & self.dev_unseen
        return "test" if for_test and not (for_dev and number >= 0.5) else "dev"

    def place(self) -> dict[str, list[str]]:
        """Return the utterance ids of each split, and of `left_out`."""
        placed: dict[str, list[str]] = {name: [] for name in (*NAMES, "left_out")}
        in_test = (text for text, place in self.place_of.items() if place == "test")
        parallel = {text for text in in_test if len(self._seen_readers(text)) > 1}
        for utterance in self.utterances:
            text = self.text[utterance.id]
            place = self.place_of[text]
            if utterance.speaker not in self.unseen:
                placed[place].append(utterance.id)
                if text in parallel:
                    placed["test_parallel"].append(utterance.id)
            elif place == "test" and utterance.speaker in self.test_unseen:
                placed["test_unseen"].append(utterance.id)
            elif place == "dev" and utterance.speaker in self.dev_unseen:
                placed["dev_unseen"].append(utterance.id)
            else:
                placed["left_out"].append(utterance.id)
        return placed

    def give_everyone_training_speech(self) -> None:
        for speaker, texts in sorted(self.texts_of_seen.items()):
            if self._trained_texts(speaker) == 0:
                fewest_readers = min(texts, key=lambda text: (len(self._seen_readers(text)), -_hash(text)))
                self.place_of[fewest_readers] = "train"

    def fill_empty_splits(self) -> None:
        while self._move_one():
            pass

    def _move_one(self) -> bool:
        """Make the best allowed move that fills an empty split; return False when there is none."""
        empty = self._empty()
        needed_in_train = {speaker for speaker in self.texts_of_seen if self._trained_texts(speaker) == 1}
        moves = []
        for text, place in self.place_of.items():
            if place == "train" and self.readers[text] & needed_in_train:
                continue
            for target in {"test", "dev"} - {place}:
                if filled := len(self._served(text, target) & empty):
                    moves.append((-filled, place != "train", _hash(text), text, target))
        for *_, text, target in sorted(moves):
            before, self.place_of[text] = self.place_of[text], target
            if self._empty() < empty:
                return True
            self.place_of[text] = before
        return False

    def _empty(self) -> set[str]:
        placed = self.place()
        return {name for name in NAMES if not placed[name]}

    def _trained_texts(self, speaker: str) -> int:
        return sum(self.place_of[text] == "train" for text in self.texts_of_seen[speaker])

    def _served(self, text: str, target: str) -> set[str]:
        """Return the splits that hold readings of `text` when it is in `target`."""
        seen = self._seen_readers(text)
        served = {target} if seen else set()
        if target == "test" and len(seen) > 1:
            served.add("test_parallel")
        if self.readers[text] & (self.test_unseen if target == "test" else self.dev_unseen):
            served.add(f"{target}_unseen")
        return served
