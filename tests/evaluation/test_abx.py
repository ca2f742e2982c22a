import itertools
from collections import defaultdict

import numpy as np
import pytest

from vqspeech.data.labels import Phone
from vqspeech.evaluation import abx as module
from vqspeech.evaluation.abx import Distance, Item, abx, angular, levenshtein, triphones
from vqspeech.evaluation.bootstrap import percentiles
from vqspeech.evaluation.missing import CannotMeasure


def paths(rows: int, columns: int) -> list[list[tuple[int, int]]]:
    """All ways from corner to corner."""
    if rows == columns == 1:
        return [[(0, 0)]]
    before = [(rows - 1, columns - 1), (rows - 1, columns), (rows, columns - 1)]
    shorter = (path for r, c in before if r and c for path in paths(r, c))
    return [[*path, (rows - 1, columns - 1)] for path in shorter]


def test_alignment_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for shape in itertools.product((1, 3, 4), (2, 5)):
        a, b = (rng.standard_normal((length, 3)).astype(np.float32) for length in shape)
        cosine = (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)
        angles = np.arccos(cosine) / np.pi
        costs = [[angles[step] for step in path] for path in paths(*shape)]
        assert angular(a, b) == pytest.approx(np.mean(min(costs, key=sum)), abs=1e-5)
        assert angular(a, b) == pytest.approx(angular(b, a), abs=1e-6)


@pytest.mark.parametrize(
    ("costs", "mean"),
    [
        ([[2, 2, 0, 0], [2, 2, 1, 0], [2, 1, 0, 0]], 1.0),
        ([[2, 1, 0, 1], [1, 1, 2, 0], [1, 1, 0, 2]], 1.25),
        ([[0, 0, 0, 1], [1, 0, 2, 1], [2, 0, 1, 1]], 0.5),
    ],
)
def test_of_paths_that_cost_the_same_torchdtw_takes_the_same(costs: list[list[int]], mean: float) -> None:
    # What torchdtw 0.4.2 says of them; the path of the other order is a step longer.
    assert module._align(np.array(costs, np.float32)) == pytest.approx(mean)


def test_angles_by_hand() -> None:
    right, up = np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])
    assert angular(right, up) == pytest.approx(0.5)
    assert angular(right, -up - right) == pytest.approx(np.arccos(-1 / 5**0.5) / np.pi)
    assert angular(right, 3 * right) == pytest.approx(0, abs=1e-3)
    assert angular(right, np.zeros((1, 2))) == pytest.approx(0.5)
    # The stretched sound aligns with no cost.
    assert angular(np.concatenate([right, up]), np.concatenate([right, right, up])) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("a", "b", "edits"), [("kitten", "sitting", 3), ("abc", "abc", 0), ("a", "bcd", 3)])
def test_edits_by_hand(a: str, b: str, edits: int) -> None:
    codes = [np.array([ord(letter) for letter in word]) for word in (a, b)]
    assert levenshtein(*codes) == pytest.approx(edits / max(len(a), len(b)))


def item(value: float, phone: str, speaker: str, context: tuple[str, str] = ("k", "t"), utterance: str = "u") -> Item:
    return Item(np.array([[value]]), phone, context, speaker, utterance)


def apart(x: np.ndarray, other: np.ndarray) -> float:
    return round(abs(float(x[0, 0] - other[0, 0])), 6)


def test_within_and_across_by_hand() -> None:
    items = [item(0.0, "a", "s"), item(1.0, "a", "s"), item(1.4, "o", "s"), item(1.2, "a", "z")]
    # Within s, A = a: X = 0 has A = 1 at 1.0 and B at 1.4, right; X = 1 has A = 0 at 1.0 and B at 0.4, wrong.
    # A = o has no second utterance. Across, X = 1.2 by z: A = 0 at 1.2 and B at 0.2, wrong; A = 1: a tie at 0.2.
    found = abx(items, apart)
    assert found.within == pytest.approx(0.5)
    assert found.across == pytest.approx(0.75)
    assert found.items == 4
    # All are of one utterance, so other draws are the same.
    assert found.within_interval == pytest.approx((0.5, 0.5))


def lopsided(x: np.ndarray, other: np.ndarray) -> float:
    """A distance that is another one the other way round, as that along one of several equal paths may be."""
    return apart(x, other) * (1 + (x[0, 0] > other[0, 0]))


def by_brute_force(items: list[Item], across: bool, distance: Distance = apart) -> float:
    """Every triple on its own, and the means that fastabx takes."""
    cells = defaultdict(list)
    for a, b, x in itertools.permutations(items, 3):
        same = a.context == b.context == x.context and a.phone == x.phone != b.phone and a.speaker == b.speaker
        if same and (a.speaker != x.speaker) == across:
            to_a, to_b = distance(x.features, a.features), distance(x.features, b.features)
            cells[a.phone, b.phone, a.speaker, a.context, x.speaker].append((to_a > to_b) + 0.5 * (to_a == to_b))
    scores = {key: np.mean(cell) for key, cell in cells.items()}
    for left in (3, 2):  # over contexts and speakers of X together, then over speakers
        collected = defaultdict(list)
        for key, score in scores.items():
            collected[key[:left]].append(score)
        scores = {key: np.mean(values) for key, values in collected.items()}
    return np.mean(list(scores.values()))


@pytest.fixture
def items() -> list[Item]:
    """Some of three speakers, two contexts and three phones, in uneven numbers and with ties."""
    rng = np.random.default_rng(0)
    return [
        item(round(rng.normal("aeo".index(phone)), 1), phone, speaker, context, utterance=f"u{rng.integers(12)}")
        for phone, speaker, context in itertools.product("aeo", "pqr", (("k", "t"), ("s", "s")))
        for _ in range(rng.integers(5))
    ]


@pytest.mark.parametrize("distance", [apart, lopsided])
def test_rates_by_brute_force(items: list[Item], distance: Distance) -> None:
    found = abx(items, distance)
    assert found.within == pytest.approx(by_brute_force(items, across=False, distance=distance))
    assert found.across == pytest.approx(by_brute_force(items, across=True, distance=distance))


def test_intervals_are_of_rates_of_utterances_drawn_again(items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(dict.fromkeys(one.utterance for one in items))
    drawn = np.array([2, 0, 1, 1, 3, 0, 1, 2, 1, 1, 0, 1][: len(names)])
    monkeypatch.setattr(module, "draws", lambda count: np.stack([drawn, np.ones(count)]))
    found = abx(items, apart)
    # An utterance that is drawn twice is there twice, but is not compared with itself.
    counts = dict(zip(names, drawn, strict=True))
    again = [one for one in items for _ in range(counts[one.utterance])]
    values = np.array([by_brute_force(again, across=True), found.across])
    assert values[0] != pytest.approx(found.across)
    assert found.across_interval == pytest.approx(percentiles(values - values.mean() + found.across))


def test_at_most_ten_of_a_kind_are_compared() -> None:
    many = [item(value, "a", "s") for value in range(10)] + [item(-99.0, "a", "s")] * 5 + [item(20.0, "o", "s")]
    assert abx(many, apart).within == pytest.approx(abx([*many[:10], many[-1]], apart).within)


def test_noise_is_at_chance_and_phones_that_differ_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    for gap, low, high in ((0.0, 0.4, 0.6), (50.0, 0.0, 0.0)):
        items = [
            item(gap * "aeiou".index(phone) + rng.standard_normal(), phone, speaker, utterance=f"{speaker}{number}")
            for phone in "aeiou"
            for speaker in "pqr"
            for number in range(6)
        ]
        found = abx(items, apart)
        for rate, interval in ((found.within, found.within_interval), (found.across, found.across_interval)):
            assert low <= rate <= high
            assert interval[0] <= rate <= interval[1]


def test_one_of_both_may_be_missing_and_nothing_to_compare_is_told() -> None:
    one_each = [item(0.0, "a", "s"), item(1.0, "o", "s")]
    assert abx([*one_each, item(0.0, "a", "z")], apart).within is None
    assert abx([*one_each, item(0.0, "a", "s")], apart).across is None
    for nothing in (one_each, []):
        with pytest.raises(CannotMeasure, match="no phone is said twice"):
            abx(nothing, apart)


PHONES = [
    Phone(0.10, 0.20, "k"), Phone(0.20, 0.30, "a"), Phone(0.30, 0.40, "t"), Phone(0.40, 0.50, "pau"),
    Phone(0.50, 0.60, "s"),
]  # fmt: skip


def test_triphones_are_cut_on_the_untrimmed_axis_and_skip_silence() -> None:
    features = np.arange(60)  # of 10 ms each, from 0.05 s on
    (only,) = triphones(features, PHONES, 0.01, 0.05, "x", "x_1")
    assert only[1:] == ("a", ("k", "t"), "x", "x_1")
    # The centres from 0.055 s on that lie between 0.1 and 0.4 s.
    assert only.features.tolist() == list(range(5, 35))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [(0.014, 0.036, [1, 2, 3]), (0.015, 0.035, [1, 2, 3]), (0.0151, 0.0349, [2]), (0.016, 0.024, None)],
)
def test_frames_are_those_whose_centres_lie_in_the_triphone(start: float, end: float, frames: list[int] | None) -> None:
    third = (end - start) / 3
    phones = [Phone(start + i * third, start + (i + 1) * third, name) for i, name in enumerate("kat")]
    cut = [one.features.tolist() for one in triphones(np.arange(9), phones, 0.01, 0.0, "x", "x_1")]
    assert cut == ([frames] if frames else [])


def test_triphones_with_a_gap_or_cut_by_the_edges_are_left_out() -> None:
    for apart in ([Phone(0.10, 0.19, "k"), *PHONES[1:3]], [*PHONES[:2], Phone(0.31, 0.40, "t")]):
        assert list(triphones(np.arange(60), apart, 0.01, 0.0, "x", "x_1")) == []
    assert list(triphones(np.arange(60), PHONES, 0.01, 0.11, "x", "x_1")) == []
    assert list(triphones(np.arange(39), PHONES, 0.01, 0.0, "x", "x_1")) == []
    assert len(list(triphones(np.arange(40), PHONES, 0.01, 0.0, "x", "x_1"))) == 1
