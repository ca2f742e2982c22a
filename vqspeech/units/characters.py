"""Units spelt as characters, one each, the way ESPnet does: so they pass through all that takes text."""

from collections.abc import Iterable

from vqspeech.errors import VqspeechError

FIRST = 0x4E00
"""The character of unit 0: the first of the CJK ideographs."""
MOST = 20_900
"""ESPnet warns from so many units on, where the ideographs end."""


def alphabet(codes: int) -> str:
    """The characters of all units; raises VqspeechError when there are more units than characters."""
    if codes > MOST:
        raise VqspeechError(f"there are characters for {MOST} units, this model has {codes}")
    return to_characters(range(codes))


def to_characters(units: Iterable[int]) -> str:
    """Units `[n]` as text of n characters."""
    return "".join(chr(FIRST + unit) for unit in units)


def from_characters(text: str) -> list[int]:
    """The units `[n]` of a text of n characters; what is no unit's character gives a number that is no unit."""
    return [ord(character) - FIRST for character in text]
