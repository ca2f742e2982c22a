"""Scores of conversions as Markdown."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Results = Mapping[str, Any]
Cell = Callable[[Results], str]
"""What a summary has of one measure, as text."""
SYSTEMS = {
    "conversions": "conversions",
    "world": "the same by WORLD",
    "untouched": "their sources, untouched",
    "copies": "copy-synthesis of speakers it knows",
    "mu_law": "8-bit mu-law copies of the same",
}
GROUPS = {
    "all": "in all",
    "unseen": "of speakers it never heard",
    "seen": "of speakers it knows",
    "same_gender": "to the same gender",
    "cross_gender": "to the other gender",
}
ABSENT = "-"


def render(results: Results) -> str:
    """The whole page: the command that remakes it, what was converted, and four tables."""
    model, ours = results["model"], results["systems"]["conversions"]
    rows = [(GROUPS[name], group) for name, group in {"all": ours, **results["groups"]}.items()]
    rows += [(f"to {target}", group) for target, group in results["targets"].items()]
    pages = [
        ["```sh", results["command"], "```"],
        [
            f"{results['date']}, commit {results['commit'] or 'unknown'}, on {results['machine']}.",
            ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
            f"Model `{model['path']}`: {model['parameters'] / 1e6:.2f} M parameters, {model['codes']} codes at "
            f"{model['rate']:g} Hz, {model['speakers']} speakers.",
        ],
        list(_sources(results["sources"])),
        [f"Missing: {name}, {reason}." for name, reason in results["missing"].items()],
        _table("", SYSTEM_COLUMNS, [(SYSTEMS[name], own) for name, own in results["systems"].items()]),
        _table("conversions", GROUP_COLUMNS, rows),
        _table("target", PITCH_COLUMNS, results["targets"].items()),
        _table(
            "of texts that the target reads too, against that reading",
            PARALLEL_COLUMNS,
            [(SYSTEMS[name], own) for name, own in results["parallel"].items()],
        ),
    ]
    return "\n\n".join("\n".join(page) for page in pages if page) + "\n"


def _sources(sources: Results) -> Iterable[str]:
    counts = [
        f"{count['samples']} {GROUPS[name]} ({count['utterances']} utterances, {count['speakers']} speakers)"
        for name, count in sources.items()
    ]
    yield f"Conversions: {', '.join(counts)}."
    yield "In brackets: 95 % intervals over source utterances."


def _number(name: str, digits: int = 2, interval: bool = False) -> Cell:
    def cell(summary: Results) -> str:
        if name not in summary:
            return ABSENT
        low, high = summary[f"{name}_interval"]
        return f"{summary[name]:.{digits}f}" + (f" ({low:.{digits}f} to {high:.{digits}f})" if interval else "")

    return cell


def _percent(name: str, interval: bool = False) -> Cell:
    def cell(summary: Results) -> str:
        if name not in summary:
            return ABSENT
        low, high = (100 * end for end in summary[f"{name}_interval"])
        return f"{100 * summary[name]:.1f} %" + (f" ({low:.1f} to {high:.1f})" if interval else "")

    return cell


def _pitch(name: str, deviation: str) -> Cell:
    def cell(summary: Results) -> str:
        if name not in summary:
            return ABSENT
        return f"{math.exp(summary[name]):.0f} Hz, {summary[deviation]:.1f} semitones"

    return cell


def _samples(summary: Results) -> str:
    return str(summary["samples"])


def _table(head: str, columns: Mapping[str, Cell], rows: Iterable[tuple[str, Results]]) -> list[str]:
    lines = [(head, *columns), ("---",) * (len(columns) + 1)]
    lines += [(title, *(cell(summary) for cell in columns.values())) for title, summary in rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


SYSTEM_COLUMNS = {
    "samples": _samples,
    "word errors": _percent("wer", interval=True),
    "character errors": _percent("cer", interval=True),
    "naturalness, 1 to 5": _number("mos", interval=True),
    "nearer to target than to source": _percent("nearer", interval=True),
    "taken for target": _percent("accepted", interval=True),
    "similarity to target": _number("to_target"),
    "to source": _number("to_source"),
    "F0 off target's, semitones": _number("f0_off", digits=1),
}
GROUP_COLUMNS = {
    "samples": _samples,
    "word errors": _percent("wer"),
    "above the sources' own": _percent("wer_above_source", interval=True),
    "nearer to target than to source": _percent("nearer", interval=True),
    "taken for target": _percent("accepted", interval=True),
    "similarity to target": _number("to_target"),
    "to source": _number("to_source"),
    "naturalness": _number("mos"),
    "F0 off target's, semitones": _number("f0_off", digits=1),
}
PITCH_COLUMNS = {
    "F0 of its own speech, mean and deviation": _pitch("target_log_f0", "target_f0_deviation"),
    "of conversions": _pitch("log_f0", "f0_deviation"),
}
PARALLEL_COLUMNS = {
    "samples": _samples,
    "mel-cepstral distortion, dB": _number("mcd", interval=True),
    "correlation of log F0": _number("f0_correlation", interval=True),
    "voiced where the reading is": _percent("f0_voiced"),
}
