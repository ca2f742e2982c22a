"""ABX: is a phone in its context nearer to another utterance of itself than to one of another phone?

After Schatz et al. 2013, "Evaluating speech features with the minimal-pair ABX task", on phones in triphones, with the
averages, the frames and the alignment of fastabx (Poli et al. 2025).
"""

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from vqspeech.data.labels import SILENCES, Phone
from vqspeech.evaluation.bootstrap import Interval, around, draws
from vqspeech.evaluation.boundaries import GAP
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.selection import by_hash

GROUP = 10
"""Items of a phone in one context by one speaker that are compared, at most; as in Libri-light."""
OTHERS = 5
"""Speakers of X for each speaker of A and B, at most; as in Libri-light."""

Distance = Callable[[np.ndarray, np.ndarray], float]
Context = tuple[str, str]


class Item(NamedTuple):
    """A triphone as it was said once."""

    features: np.ndarray
    """`[n, D]`, or codes `[n]`."""
    phone: str
    """In the middle."""
    context: Context
    speaker: str
    utterance: str


class Cell(NamedTuple):
    """The items that make triples: X and A are of one phone, B of another, all in one context."""

    phones: tuple[str, str]
    speaker: str
    """Of A and B."""
    x: list[Item]
    a: list[Item]
    b: list[Item]


@dataclass(frozen=True)
class AbxErrors:
    """Share of triples where X is nearer to B than to A, a tie counting as half; 0.5 is chance.

    The mean over contexts (and speakers of X), then over speakers of A and B, then over pairs of phones, so that none
    counts by how often it is said.
    """

    within: float | None
    """A, B and X by one speaker; None where no speaker says one phone twice and another one in the same context."""
    within_interval: Interval | None
    across: float | None
    """X by another speaker; None where no two speakers say the same."""
    across_interval: Interval | None
    items: int


def abx(items: Sequence[Item], distance: Distance) -> AbxErrors:
    """Error rates over all pairs of phones that occur in the same context, with bootstrap intervals over utterances.

    `distance` takes the features of X, then those of A or B. Raises CannotMeasure where there is nothing to compare.
    """
    groups: defaultdict[Context, defaultdict[str, dict[str, list[Item]]]] = defaultdict(lambda: defaultdict(dict))
    for item in items:
        own = groups[item.context][item.speaker].setdefault(item.phone, [])
        if len(own) < GROUP:
            own.append(item)
    far = _remembered(distance)
    rows = {utterance: row for row, utterance in enumerate(dict.fromkeys(item.utterance for item in items))}
    # The first row counts every utterance once: the figure itself.
    weights = np.vstack([np.ones(len(rows)), draws(len(rows))]) if rows else np.ones((1, 0))
    means = [
        _mean_error([cell for by_speaker in groups.values() for cell in cells(by_speaker)], far, weights, rows)
        for cells in (_within, _across)
    ]
    if all(mean is None for mean in means):
        raise CannotMeasure("no phone is said twice, and another one with it, in the same context")
    (within, within_interval), (across, across_interval) = (
        (None, None) if mean is None else (float(mean[0]), around(mean[0], mean[1:], most=1)) for mean in means
    )
    return AbxErrors(within, within_interval, across, across_interval, len(items))


def _within(speakers: dict[str, dict[str, list[Item]]]) -> Iterator[Cell]:
    for speaker, phones in speakers.items():
        for a, b in itertools.permutations(sorted(phones), 2):
            if len(phones[a]) > 1:
                yield Cell((a, b), speaker, phones[a], phones[a], phones[b])


def _across(speakers: dict[str, dict[str, list[Item]]]) -> Iterator[Cell]:
    for speaker, phones in speakers.items():
        for a, b in itertools.permutations(sorted(phones), 2):
            others = [other for other in speakers if other != speaker and a in speakers[other]]
            for other in by_hash(others, salt=f"{speaker} ")[:OTHERS]:
                yield Cell((a, b), speaker, speakers[other][a], phones[a], phones[b])


def _mean_error(
    cells: Sequence[Cell], far: Callable[[Item, Item], float], weights: np.ndarray, rows: dict[str, int]
) -> np.ndarray | None:
    """The mean of the cells' errors with utterances counted by `weights [times, utterances]`: `[times]`."""
    errors: defaultdict[tuple[str, str], defaultdict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        to_a, to_b = ([[far(x, one) for one in side] for x in cell.x] for side in (cell.a, cell.b))
        wrong = (1 + np.sign(np.array(to_a)[:, :, None] - np.array(to_b)[:, None, :])) / 2
        allowed = np.array([[x is not a for a in cell.a] for x in cell.x], float)
        by_x, by_a, by_b = (weights[:, [rows[item.utterance] for item in side]] for side in cell[2:])
        pairs = (by_x[:, :, None] * by_a[:, None, :] * allowed).reshape(len(weights), -1)
        wrongly = ((pairs @ wrong.reshape(pairs.shape[1], -1)) * by_b).sum(1)
        triples = pairs.sum(1) * by_b.sum(1)
        # A draw without a triple of this cell has no error in it.
        errors[cell.phones][cell.speaker].append(
            np.divide(wrongly, triples, out=np.full(len(weights), np.nan), where=triples > 0)
        )
    if not errors:
        return None
    return _mean([_mean([_mean(own) for own in by_speaker.values()]) for by_speaker in errors.values()])


def _mean(values: Sequence[np.ndarray]) -> np.ndarray:
    """The mean over arrays `[times]` of what is not NaN."""
    known = np.sum([~np.isnan(value) for value in values], axis=0)
    return np.divide(np.nansum(values, axis=0), known, out=np.full(len(known), np.nan), where=known > 0)


def _remembered(distance: Distance) -> Callable[[Item, Item], float]:
    """The distance of items; each pair in this order, since ties between paths make it matter, is taken once."""
    known: dict[tuple[int, int], float] = {}

    def far(x: Item, other: Item) -> float:
        key = id(x), id(other)
        if key not in known:
            known[key] = distance(x.features, other.features)
        return known[key]

    return far


def triphones(
    features: np.ndarray, phones: Sequence[Phone], frame_seconds: float, offset: float, speaker: str, utterance: str
) -> Iterator[Item]:
    """The triphones of an utterance without silence or gaps: the frames whose centres lie in the three phones.

    `features [N, ...]` are frame by frame from `offset` seconds of the labels' time axis on; a triphone that is not
    wholly within them is left out.
    """
    for before, own, after in zip(phones, phones[1:], phones[2:], strict=False):
        together = own.start - before.end < GAP and after.start - own.end < GAP
        if not together or {before.phone, own.phone, after.phone} & SILENCES:
            continue
        # Rounded, since a centre that a label falls on belongs to the triphone.
        begin, end = (round((time - offset) / frame_seconds - 0.5, 6) for time in (before.start, after.end))
        first, last = math.ceil(begin), math.floor(end)
        if 0 <= first <= last < len(features):
            yield Item(features[first : last + 1], own.phone, (before.phone, after.phone), speaker, utterance)


def angular(a: np.ndarray, b: np.ndarray) -> float:
    """Mean angle, as a share of pi, along the best alignment of features `[n, D]` and `[m, D]` in time."""
    return _align(_angles(np.asarray(a, np.float32), np.asarray(b, np.float32)))


def levenshtein(a: np.ndarray, b: np.ndarray) -> float:
    """Insertions, deletions and substitutions that turn codes `[n]` into codes `[m]`, over the longer one's length."""
    return edits(a, b) / max(len(a), len(b))


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angles `[n, m]` between rows, as shares of pi; a row of zeros is at right angles to all."""
    sizes = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    cosines = np.divide(a @ b.T, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return np.arccos(np.clip(cosines, -1, 1)) / np.float32(np.pi)


@njit(cache=True, nogil=True)
def _align(costs: np.ndarray) -> float:
    """Mean cost of the path of least cost from corner to corner by steps down, right or both (dynamic time warping).

    Among paths that cost the same the one that goes, from the end, both ways, else along a row, else along a column.
    """
    rows, columns = costs.shape
    total = costs.copy()
    for i in range(rows):
        for j in range(columns):
            if i > 0 and j > 0:
                total[i, j] += min(total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])
            elif i > 0:
                total[i, j] += total[i - 1, j]
            elif j > 0:
                total[i, j] += total[i, j - 1]
    i, j, steps = rows - 1, columns - 1, 1
    while i > 0 and j > 0:
        if total[i - 1, j - 1] <= total[i, j - 1] and total[i - 1, j - 1] <= total[i - 1, j]:
            i, j = i - 1, j - 1
        elif total[i, j - 1] <= total[i - 1, j]:
            j -= 1
        else:
            i -= 1
        steps += 1
    return total[rows - 1, columns - 1] / (steps + i + j)


@njit(cache=True, nogil=True)
def edits(a: np.ndarray, b: np.ndarray) -> int:
    """Insertions, deletions and substitutions that turn `a [n]` into `b [m]`, of whole numbers."""
    row = np.arange(len(b) + 1)
    for i in range(len(a)):
        diagonal, row[0] = row[0], i + 1
        for j in range(len(b)):
            changed = diagonal + (a[i] != b[j])
            diagonal = row[j + 1]
            row[j + 1] = min(changed, row[j] + 1, diagonal + 1)
    return row[len(b)]
