"""The errors a user can act on: one line that names the culprit and the way out."""

import difflib
from collections.abc import Iterable


class VqspeechError(Exception):
    """A failure with a one-line message for the user; a command that meets it exits with 1."""


class UsageError(VqspeechError):
    """A command line that cannot be understood; the command exits with 2."""


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return `"; did you mean p225, p226?"`: the known names nearest to `name`, or `""` if none is near."""
    # Names that differ in case alone are nearer than any other, which plain edit distance does not know.
    originals: dict[str, str] = {}
    for candidate in known:
        originals.setdefault(candidate.casefold(), candidate)
    near = difflib.get_close_matches(name.casefold(), originals, n=count, cutoff=0.6)
    return f"; did you mean {', '.join(originals[match] for match in near)}?" if near else ""
