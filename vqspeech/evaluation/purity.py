"""How much codes and phones say of each other, without a map learnt on other speech."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Purity:
    """Of frames of speech; each is at most 1."""

    phone_purity: float
    """Frames that the commonest phone of their code names rightly (Hsu et al. 2021, section IV-E)."""
    cluster_purity: float
    """Frames that have the commonest code of their phone."""
    nmi: float
    """Mutual information over the mean of both entropies."""
    pnmi: float
    """Mutual information over the entropy of the phones: the share of it that the codes take away (ibid.)."""


def purity(codes: np.ndarray, labels: np.ndarray) -> Purity:
    """Measure codes `[frames]` int against labels `[frames]` str."""
    _, rows = np.unique(codes, return_inverse=True)
    _, columns = np.unique(labels, return_inverse=True)
    joint = np.zeros((rows.max() + 1, columns.max() + 1))
    np.add.at(joint, (rows, columns), 1 / len(codes))
    by_code, by_phone = _entropy(joint.sum(1)), _entropy(joint.sum(0))
    information = by_code + by_phone - _entropy(joint)
    return Purity(
        phone_purity=float(joint.max(1).sum()),
        cluster_purity=float(joint.max(0).sum()),
        # One code for one phone tells everything there is.
        nmi=2 * information / (by_code + by_phone) if by_code + by_phone > 0 else 1.0,
        pnmi=information / by_phone if by_phone > 0 else 1.0,
    )


def _entropy(probabilities: np.ndarray) -> float:
    """In nats."""
    known = probabilities[probabilities > 0]
    return float(-(known * np.log(known)).sum())
