"""What an experiment's folder holds, read once."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vqspeech.errors import VqspeechError
from vqspeech.training.log import read_metrics
from vqspeech.units.store import Units, read_units


@dataclass(frozen=True)
class Experiment:
    """A model folder with whatever the recipe has put into it by now."""

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json`: model, speakers, notes. Raises VqspeechError for another folder than a model's."""
        if not (self.folder / "config.json").is_file():
            raise VqspeechError(f"{self.folder}: not a model folder: it has no config.json")
        return _read_json(self.folder / "config.json")

    @cached_property
    def log(self) -> list[dict[str, Any]]:
        """What training logged; nothing where the log is not there."""
        return read_metrics(self.folder / "train" / "metrics.jsonl")

    @cached_property
    def results(self) -> dict[str, Any]:
        """What vqspeech-evaluate measured; nothing where it was not run."""
        path = self.results_folder / "results.json"
        return _read_json(path) if path.is_file() else {}

    @property
    def results_folder(self) -> Path:
        """Where the recipe has vqspeech-evaluate write."""
        return self.folder / "results"

    @cached_property
    def units(self) -> Units | None:
        """The units of the test utterances; None where they were not extracted."""
        folder = self.folder / "units" / "test"
        return read_units(folder) if folder.is_dir() else None

    @property
    def sample_rate(self) -> int:
        """Of the model, in Hz."""
        return self.config["model"]["sample_rate"]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise VqspeechError(f"{path}: damaged: {error}") from error
    if not isinstance(values, dict):
        raise VqspeechError(f"{path}: damaged: expected an object {{...}}")
    return values
