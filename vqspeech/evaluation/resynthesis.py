"""The measures of what the model says: is it the source, and can it be understood?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.nearest import nearest_source
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.wer import error_rates, transcribe


def measure_nearest(samples: Sequence[Sample], sample_rate: int) -> dict[str, Any]:
    """How often a copy is nearer to its own source than to 19 others.

    Raises CannotMeasure without a copy and two sources.
    """
    copies = {sample.name: sample.waveform for sample in samples if sample.is_copy}
    sources = {source.utterance: source.waveform for source in _sources(samples)}
    return asdict(nearest_source(copies, sources, sample_rate))


def measure_words(samples: Sequence[Sample], sample_rate: int, folder: Path) -> dict[str, Any]:
    """Word and character error rates of originals, copies and conversions by the Whisper model in `folder`.

    Cut utterances are left out. Raises CannotMeasure when the texts are missing.
    """
    scored = [sample for sample in samples if sample.source.whole and sample.source.text]
    if not scored:
        raise CannotMeasure("no whole utterance with a text")
    copies = [sample for sample in scored if sample.is_copy]
    conversions = [sample for sample in scored if not sample.is_copy]
    kinds = {
        "originals": {source.utterance: (source.waveform, source.text) for source in _sources(scored)},
        "copies": {sample.name: (sample.waveform, sample.source.text) for sample in copies},
        "conversions": {sample.name: (sample.waveform, sample.source.text) for sample in conversions},
    }
    results: dict[str, Any] = {"judge": folder.name}
    for kind, spoken in kinds.items():
        heard = transcribe({name: waveform for name, (waveform, _) in spoken.items()}, sample_rate, folder)
        texts = {name: text for name, (_, text) in spoken.items()}
        results[kind] = asdict(error_rates(texts, heard)) if spoken else None
    return results


def _sources(samples: Sequence[Sample]) -> list[Excerpt]:
    """Every source once."""
    return list({sample.source.utterance: sample.source for sample in samples}.values())
