"""What units tell apart, phones in context and speakers, beside what the baselines do."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.abx import Distance, Item, abx, angular, levenshtein, triphones
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.mfcc import log_mel_bands, mfcc39
from vqspeech.evaluation.missing import CannotMeasure, require_codes
from vqspeech.evaluation.speaker_probe import Segment, segments, speaker_probe
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

if TYPE_CHECKING:
    from vqspeech.codec import Codec

Baseline = Callable[[], Coded]


def measure_abx(codec: "Codec", coded: Coded, speech: Speech, limit: int, baseline: Baseline) -> dict[str, Any]:
    """ABX errors of codes by edits and of their vectors by angle, and in `beside` those of the baselines.

    On the first `limit` labelled utterances by hash. A continuous bottleneck has `vectors` alone. Raises CannotMeasure
    without labels or without triphones to compare.
    """
    labelled = speech.first(limit, among=speech.data.labels)
    if not labelled:
        raise CannotMeasure("no phone labels")
    items = triphone_items(codec, coded, speech, labelled, baseline)
    found = {
        name: asdict(abx(own, distance_of(name))) for name, own in progress(items.items(), "ABX", unit="representation")
    }
    own = {name: found.pop(name) for name in ("codes", "vectors") if name in found}
    return own | {"beside": found, "utterances": len({item.utterance for item in items["vectors"]})}


def triphone_items(
    codec: "Codec", coded: Coded, speech: Speech, utterances: Iterable[str], baseline: Baseline
) -> dict[str, list[Item]]:
    """The triphones of some labelled utterances in every representation."""
    labels = speech.labels(utterances)
    discrete = codec.model.bottleneck.discrete
    model = dict(coded.of(speech, progress(labels, "encode", unit="utt")))
    kmeans = dict(baseline().of(speech, labels)) if discrete else {}
    randomness = np.random.default_rng(0)
    items: dict[str, list[Item]] = {}
    for utterance, waveform in speech.read(progress(labels, "triphones", unit="utt")):
        codes = model[utterance]
        features = {
            "vectors": codec.vectors(codes) if discrete else codes,
            "mfcc": _standardised(mfcc39(waveform, codec.sample_rate, codec.hop)),
            "log_mel": _standardised(log_mel_bands(waveform, codec.sample_rate, codec.hop)),
        }
        if discrete:
            features |= {
                "codes": codes,
                "mfcc_kmeans": kmeans[utterance],
                "random": randomness.integers(codec.codes, size=len(codes)),
            }
        data = speech.data
        where = codec.hop / codec.sample_rate, data.utt2offset.get(utterance, 0.0), data.utt2spk[utterance], utterance
        for name, own in features.items():
            items.setdefault(name, []).extend(triphones(own, labels[utterance], *where))
    if not items:
        raise CannotMeasure("no labelled utterance can be read")
    return items


def distance_of(representation: str) -> Distance:
    """How items of a representation are compared."""
    return levenshtein if representation in ("codes", "mfcc_kmeans", "random") else angular


def measure_speaker(
    codec: "Codec", coded: Coded, train: Speech, test: Speech, limit: int, baseline: Baseline
) -> dict[str, Any]:
    """How well a linear probe names the speaker by the codes, and in `beside` by MFCC k-means.

    Learns from `train` and scores on `test`, of each `limit` utterances, as many of every speaker. Raises CannotMeasure
    where too few speakers are in both.
    """
    require_codes(codec)
    speakers = sorted(set(train.data.speakers) & set(test.data.speakers))
    if len(speakers) < 2:
        raise CannotMeasure("fewer than two speakers are in both training and test speech")

    def spoken(name: str, coded: Coded, speech: Speech) -> list[Segment]:
        own = speech.data.spk2utt
        chosen = [id for speaker in speakers for id in speech.first(max(1, limit // len(speakers)), own[speaker])]
        return [
            segment
            for id, codes in coded.of(speech, progress(chosen, f"speakers, {name}", unit="utt"))
            for segment in segments(codes, speech.data.utt2spk[id], id, codec.hop / codec.sample_rate)
        ]

    found = {
        name: asdict(speaker_probe(spoken(name, own, train), spoken(name, own, test), own.codes))
        for name, own in {"model": coded, "mfcc_kmeans": baseline()}.items()
    }
    return found["model"] | {"beside": found["mfcc_kmeans"]}


def _standardised(features: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over the utterance: by their means all frames would lie in one direction."""
    return (features - features.mean(0)) / (features.std(0) + 1e-6)
