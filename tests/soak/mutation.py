"""Changes to JSON that leave it JSON: bytes changed at random are seldom that, and come no further than the parser."""

import json
import random
import struct
from typing import Any

from tests.soak.targets import SEPARATOR

ODD = (
    *(None, True, False, 0, -1, 1, 2, 3, 255, 1000, 2**20, 2**31, 2**53, 2**63, 10**30, 10**400),
    *(0.5, -0.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "a", "0", "1e3", "..", "/", "\0", "\ud800"),
    *([], {}, [[]], [0], [1] * 100, {"a": 1}, ["a", "a"], "a" * 1000),
)
"""What may take the place of a value."""


def change(data: bytes, rng: random.Random) -> bytes | None:
    """Change something in one of an input's files that holds JSON; None where none does."""
    parts = data.split(SEPARATOR)
    for index in rng.sample(range(len(parts)), len(parts)):
        if changed := _in_file(parts[index], rng):
            parts[index] = changed
            return SEPARATOR.join(parts)
    return None


def _in_file(content: bytes, rng: random.Random) -> bytes | None:
    """Change a JSON file, a line of JSON lines, or the header of a safetensors file."""
    if content[8:9] == b"{":
        (size,) = struct.unpack_from("<Q", content)
        header = _in_text(content[8 : 8 + size], rng)
        return header and struct.pack("<Q", len(header)) + header + content[8 + size :]
    if whole := _in_text(content, rng):
        return whole
    lines = content.split(b"\n")
    number = rng.randrange(len(lines))
    lines[number] = _in_text(lines[number], rng) or b""
    return b"\n".join(lines) if lines[number] else None


def _in_text(text: bytes, rng: random.Random) -> bytes | None:
    if text[:1] not in (b"{", b"["):
        return None
    try:
        return json.dumps(_changed(json.loads(text), rng)).encode()
    except (ValueError, RecursionError):
        return None


def _changed(value: Any, rng: random.Random) -> Any:
    """Change a value itself or, the more often the deeper it goes, one of those in it."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.05:
        return rng.choice(ODD)
    entries = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    key, entry = rng.choice(entries)
    how = rng.random()
    if how < 0.1:
        entries.remove((key, entry))
    elif how < 0.2:
        entries.append((str(rng.choice(ODD)), entry))
    elif how < 0.3:
        entries = [(k, rng.choice(entries)[1] if k == key else v) for k, v in entries]
    else:
        entries = [(k, _changed(entry, rng) if k == key else v) for k, v in entries]
    return dict(entries) if isinstance(value, dict) else [entry for _, entry in entries]
