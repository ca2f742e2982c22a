"""The measures of what the model says: is it the source, can it be understood, and in whose voice?"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.nearest import nearest_source
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.similarity import Voices, equal_error_rate, voice
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.wer import error_rates, find_whisper, transcribe

UTTERANCES_PER_VOICE = 10


def measure_nearest(samples: Sequence[Sample], sample_rate: int) -> dict[str, Any]:
    """How often a copy is nearer to its own source than to 19 others.

    Raises CannotMeasure without a copy and two sources.
    """
    copies = {sample.name: sample.waveform for sample in samples if sample.is_copy}
    sources = {source.utterance: source.waveform for source in _sources(samples)}
    return asdict(nearest_source(copies, sources, sample_rate))


def measure_words(samples: Sequence[Sample], sample_rate: int, whisper: Path | None) -> dict[str, Any]:
    """Word and character error rates of originals, copies and conversions; cut utterances are left out.

    Raises CannotMeasure when the judge or the texts are missing.
    """
    folder = find_whisper(whisper)
    scored = [sample for sample in samples if sample.source.whole and sample.source.text]
    if not scored:
        raise CannotMeasure("no whole utterance with a text")
    copies, conversions = _by_kind(scored)
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


def measure_similarity(samples: Sequence[Sample], train: Speech, unseen: Speech | None) -> dict[str, Any]:
    """Speaker similarity of copies, conversions and natural speech to target, source and others.

    A speaker's voice is known by training speech, or by `unseen` where there is none. The equal error rate of
    telling a natural excerpt's own speaker from the others says how far the measure can be trusted. A speaker none of
    whose speech can be read is left out.
    Raises CannotMeasure when there are no samples or no two speakers to tell apart.
    """
    trained = {speaker: heard for speaker in train.data.speakers if (heard := _voices(train, speaker))}
    if not samples or len(trained) < 2:
        raise CannotMeasure("needs samples and two speakers")
    voices = Voices(trained)
    for speaker in unseen.data.speakers if unseen else ():
        if speaker not in voices.speakers and (heard := _voices(unseen, speaker)):
            voices.add(speaker, heard)
    samples = [sample for sample in samples if {sample.speaker, sample.source.speaker} <= set(voices.speakers)]
    copies, conversions = _by_kind(samples)
    kinds = {
        "copies": copies,
        "conversions": [sample for sample in conversions if sample.source.seen],
        "conversions_unseen": [sample for sample in conversions if not sample.source.seen],
    }
    natural = _of_natural_speech(voices, [one for one in _sources(samples) if one.seen], train.sample_rate)
    return {"natural": natural} | {
        kind: _of_samples(voices, chosen, train.sample_rate) for kind, chosen in kinds.items()
    }


def _of_natural_speech(voices: Voices, excerpts: Sequence[Excerpt], sample_rate: int) -> dict[str, float] | None:
    """What the scores of natural speech are; None without any of speakers that the model knows."""
    if not excerpts:
        return None
    own, other = [], []
    for excerpt in excerpts:
        heard = voice(excerpt.waveform, sample_rate)
        for speaker in voices.speakers:
            (own if speaker == excerpt.speaker else other).append(voices.similarity(heard, speaker))
    return {
        "own": float(np.mean(own)),
        "other": float(np.mean(other)),
        "equal_error_rate": equal_error_rate(own, other),
    }


def _of_samples(voices: Voices, samples: Sequence[Sample], sample_rate: int) -> dict[str, Any] | None:
    """Means over the samples, also of their untouched sources; None without samples."""
    if not samples:
        return None
    to_target, to_source, source_to_target, source_to_source = [], [], [], []
    for sample in samples:
        target, source = sample.speaker, sample.source.speaker
        heard, before = voice(sample.waveform, sample_rate), voice(sample.source.waveform, sample_rate)
        to_target.append(voices.similarity(heard, target))
        to_source.append(voices.similarity(heard, source))
        source_to_target.append(voices.similarity(before, target))
        source_to_source.append(voices.similarity(before, source))
    return {
        "count": len(samples),
        "to_target": float(np.mean(to_target)),
        "to_source": float(np.mean(to_source)),
        "target_nearer": float(np.mean(np.array(to_target) > np.array(to_source))),
        "source_to_target": float(np.mean(source_to_target)),
        "source_to_source": float(np.mean(source_to_source)),
    }


def _voices(speech: Speech, speaker: str) -> list[np.ndarray]:
    """The voice in each of the speaker's first utterances by hash."""
    chosen = speech.first(UTTERANCES_PER_VOICE, among=speech.data.spk2utt[speaker])
    return [voice(waveform, speech.sample_rate) for _, waveform in speech.read(chosen)]


def _sources(samples: Sequence[Sample]) -> list[Excerpt]:
    """Every source once."""
    return list({sample.source.utterance: sample.source for sample in samples}.values())


def _by_kind(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """The copies and the conversions."""
    copies = [sample for sample in samples if sample.is_copy]
    return copies, [sample for sample in samples if not sample.is_copy]
