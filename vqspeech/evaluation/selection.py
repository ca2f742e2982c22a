"""Choices that are the same on every machine and in every run: order by hash, never by chance."""

import hashlib
from collections.abc import Iterable


def by_hash(names: Iterable[str], salt: str = "") -> list[str]:
    """Sort `names` by the SHA-256 of `salt` and the name; another salt gives another order."""
    return sorted(names, key=lambda name: (hashlib.sha256(f"{salt}{name}".encode()).hexdigest(), name))
