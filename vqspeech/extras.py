"""Packages that only some uses need, and that come with an extra or a script."""

from collections.abc import Iterable
from importlib.util import find_spec

from vqspeech.errors import VqspeechError

FORMATS = "pip install 'vqspeech[formats]'"
"""Brings what some formats of units need."""


class NotInstalled(VqspeechError):
    """A use needs packages that are not there; the message names them and what brings them."""


def require(packages: Iterable[str], remedy: str) -> None:
    """Raise NotInstalled where `packages`, by the names that pip knows, are missing; `remedy` is what brings them."""
    absent = [name for name in packages if find_spec(name.replace("-", "_")) is None]
    if absent:
        raise NotInstalled(f"not installed: {', '.join(absent)} ({remedy})")
