"""The tables of vqspeech-evaluate, and the settings of the model and its training."""

from collections.abc import Iterator
from typing import Any

from vqspeech.evaluation.table import DATA_HEAD, MEASURES_HEAD, data_rows, measure_rows
from vqspeech.report import markup
from vqspeech.report.experiment import Experiment


def results(experiment: Experiment) -> str:
    """What was measured, on how much speech, and the command that measures it again."""
    measured = experiment.results
    if not measured:
        return markup.absent(
            "There are no measures: the folder has no results/results.json; vqspeech-evaluate writes it."
        )
    versions = ", ".join(f"{name} {version}" for name, version in measured["versions"].items())
    commit = measured["commit"] or "unknown"
    made = f"Measured on {measured['date']}, commit {commit}, on {measured['machine']}, with {versions}."
    return "\n".join(
        (
            markup.table("Measures", MEASURES_HEAD, measure_rows(measured)),
            markup.table("Speech", DATA_HEAD, data_rows(measured["data"])),
            markup.paragraph(made),
            f"<pre><code>{markup.escape(measured['command'])}</code></pre>",
        )
    )


def configuration(experiment: Experiment) -> str:
    """Every setting of the model and of its training."""
    config = experiment.config
    notes = config.get("notes", {})
    speakers = config["speakers"]
    parts = [
        _settings("Model", config["model"]),
        _settings("Training", notes["training"])
        if "training" in notes
        else markup.absent("The settings of training are not known: config.json has no notes of them."),
        f"<details><summary>{len(speakers)} speakers</summary>{markup.paragraph(', '.join(speakers))}</details>",
    ]
    return "\n".join(parts)


def _settings(title: str, values: dict[str, Any]) -> str:
    content = markup.table(f"{title}, every setting", ("setting", "value"), _flat(values))
    return f"<details><summary>{title}</summary>{content}</details>"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)
