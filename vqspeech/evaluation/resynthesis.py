"""The measures of what the model says: is it the source, and can it be understood?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqspeech.evaluation.controls import Kind, of_each, once
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.nearest import nearest_source
from vqspeech.evaluation.samples import Sample
from vqspeech.evaluation.wer import error_rates, load_whisper
from vqspeech.progress import progress


def measure_nearest(samples: Sequence[Sample], sample_rate: int) -> dict[str, Any]:
    """How often a copy is nearer to its own source than to 19 others.

    Raises CannotMeasure without a copy and two sources.
    """
    copies = {sample.name: sample.waveform for sample in samples if sample.is_copy}
    sources = {sample.source.utterance: sample.source.waveform for sample in samples}
    return asdict(nearest_source(copies, sources, sample_rate))


def measure_words(kinds: Mapping[str, Kind], sample_rate: int, folder: Path) -> dict[str, Any]:
    """Word and character error rates of each kind and its controls by the Whisper model in `folder`.

    Cut utterances are left out. Raises CannotMeasure when the texts are missing.
    """
    hear = once(load_whisper(folder, sample_rate))

    def score(samples: Sequence[Sample]) -> dict[str, Any] | None:
        texts = {sample.name: sample.source.text for sample in samples if sample.source.whole and sample.source.text}
        if not texts:
            return None
        shown = progress([sample for sample in samples if sample.name in texts], "transcribe", unit="utt")
        return asdict(error_rates(texts, {sample.name: hear(sample.waveform) for sample in shown}))

    found = of_each(kinds, score)
    if not any(found.values()):
        raise CannotMeasure("no whole utterance with a text")
    return {"judge": folder.name} | found
