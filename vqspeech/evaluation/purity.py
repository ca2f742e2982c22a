"""How much codes and phones say of each other, without a map learnt on other speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vqspeech.evaluation.bootstrap import Interval, around, draws


@dataclass(frozen=True)
class Purity:
    """Of frames of speech; each is at most 1."""

    phone_purity: float
    """Frames that the commonest phone of their code names rightly (Hsu et al. 2021, section IV-E)."""
    phone_purity_interval: Interval
    cluster_purity: float
    """Frames that have the commonest code of their phone."""
    cluster_purity_interval: Interval
    nmi: float
    """Mutual information over the mean of both entropies."""
    nmi_interval: Interval
    pnmi: float
    """Mutual information over the entropy of the phones: the share of it that the codes take away (ibid.)."""
    pnmi_interval: Interval


def purity(codes: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Purity:
    """Measure codes `[frames]` int against labels `[frames]` str, for each utterance; one of no frames is left out."""
    codes, labels = ([row for row in rows if len(row)] for rows in (codes, labels))
    lengths = [len(row) for row in codes]
    _, rows = np.unique(np.concatenate(codes), return_inverse=True)
    _, columns = np.unique(np.concatenate(labels), return_inverse=True)
    shape = rows.max() + 1, columns.max() + 1
    cells = np.ravel_multi_index((rows, columns), shape)

    def measured(times: np.ndarray) -> dict[str, float]:
        joint = np.bincount(cells, np.repeat(times, lengths), shape[0] * shape[1]).reshape(shape)
        joint /= joint.sum()
        by_code, by_phone = _entropy(joint.sum(1)), _entropy(joint.sum(0))
        information = by_code + by_phone - _entropy(joint)
        return {
            "phone_purity": float(joint.max(1).sum()),
            "cluster_purity": float(joint.max(0).sum()),
            # One code for one phone tells everything there is.
            "nmi": 2 * information / (by_code + by_phone) if by_code + by_phone > 0 else 1.0,
            "pnmi": information / by_phone if by_phone > 0 else 1.0,
        }

    figures, drawn = measured(np.ones(len(lengths), int)), [measured(times) for times in draws(len(lengths))]
    intervals = {
        f"{name}_interval": around(figure, np.array([own[name] for own in drawn]), most=1)
        for name, figure in figures.items()
    }
    return Purity(**figures, **intervals)


def _entropy(probabilities: np.ndarray) -> float:
    """In nats."""
    known = probabilities[probabilities > 0]
    return float(-(known * np.log(known)).sum())
