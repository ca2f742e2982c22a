"""Praat's TextGrids, as the Montreal Forced Aligner and people write them: their tier of phones."""

import re
from collections.abc import Iterator
from pathlib import Path

from vqspeech.errors import VqspeechError

# Of both forms of the file, with words beside the values and without, these alone carry anything.
VALUE = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.\[])([-+]?\d[\d.eE+-]*)(?![\w\]])|<(exists|absent)>')
PHONES = ("phones", "phone", "phonemes", "phoneme", "segments")
"""Names of the tier that holds phones, whatever their case; MFA puts the speaker before them, `p225 - phones`."""


def read_textgrid(path: Path) -> list[tuple[float, float, str]]:
    """Intervals (start and end in seconds, phone) of the tier of phones; an empty one is `""`.

    That is the tier named so, or the only one of intervals. Raises VqspeechError for a file that is no TextGrid or has
    no such tier.
    """
    tiers = {name: intervals for kind, name, intervals in _tiers(path) if kind == "IntervalTier"}
    named = [name for name in tiers if re.split(r"\s*[-_:]\s*", name.strip().lower())[-1] in PHONES]
    if not named and len(tiers) == 1:
        named = list(tiers)
    if len(named) != 1:
        raise VqspeechError(f"{path}: {len(named)} tiers of phones, by the names {', '.join(tiers) or 'of none'}")
    return tiers[named[0]]


def _tiers(path: Path) -> Iterator[tuple[str, str, list[tuple[float, float, str]]]]:
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise VqspeechError(f"{path}: neither UTF-8 nor UTF-16 text") from error
    values = map(_value, VALUE.finditer(text))
    try:
        if (next(values), next(values)) != ("ooTextFile", "TextGrid"):
            raise VqspeechError(f"{path}: no TextGrid in text form")
        float(next(values)), float(next(values))
        if next(values) != "exists":
            return
        for _ in range(int(next(values))):
            kind, name = next(values), next(values)
            float(next(values)), float(next(values))
            points = kind != "IntervalTier"
            found = []
            for _ in range(int(next(values))):
                start = float(next(values))
                found.append((start, start if points else float(next(values)), next(values)))
            yield kind, name, found
    except (StopIteration, ValueError) as error:
        raise VqspeechError(f"{path}: a damaged TextGrid") from error


def _value(found: re.Match[str]) -> str:
    quoted, number, flag = found.groups()
    return quoted.replace('""', '"') if quoted is not None else number or flag
