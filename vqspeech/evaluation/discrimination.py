"""What units tell apart, phones in context and speakers, beside what the baselines do."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.abx import Distance, Item, abx, angular, levenshtein, triphones
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.mfcc import log_mel_bands, mfcc39
from vqspeech.evaluation.missing import CannotMeasure, require_codes
from vqspeech.evaluation.representation import Baselines
from vqspeech.evaluation.speaker_probe import FOLDS, Segment, segments, speaker_probe
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

if TYPE_CHECKING:
    from vqspeech.codec import Codec


def measure_abx(codec: "Codec", coded: Coded, speech: Speech, limit: int, baselines: Baselines) -> dict[str, Any]:
    """ABX errors of codes by edits and of their vectors by angle, and in `beside` those of the baselines.

    On the first `limit` labelled utterances by hash. A continuous bottleneck has `vectors` alone. Raises CannotMeasure
    without labels or without triphones to compare.
    """
    labelled = speech.first(limit, among=speech.data.labels)
    if not labelled:
        raise CannotMeasure("no phone labels")
    items = triphone_items(codec, coded, speech, labelled, baselines)
    found = {
        name: asdict(abx(own, distance_of(name))) for name, own in progress(items.items(), "ABX", unit="representation")
    }
    own = {name: found.pop(name) for name in ("codes", "vectors") if name in found}
    return own | {"beside": found, "utterances": len({item.utterance for item in items["vectors"]})}


def triphone_items(
    codec: "Codec", coded: Coded, speech: Speech, utterances: Iterable[str], baselines: Baselines
) -> dict[str, list[Item]]:
    """The triphones of some labelled utterances in every representation."""
    labels = speech.labels(utterances)
    discrete = codec.model.bottleneck.discrete
    model = dict(coded.of(speech, progress(labels, "encode", unit="utt")))
    others = {name: dict(own.of(speech, labels)) for name, own in baselines().items()} if discrete else {}
    items: dict[str, list[Item]] = {}
    for utterance, waveform in speech.read(progress(labels, "triphones", unit="utt")):
        codes = model[utterance]
        features = {
            "vectors": codec.vectors(codes) if discrete else codes,
            "mfcc": _standardised(mfcc39(waveform, codec.sample_rate, codec.hop)),
            "log_mel": _standardised(log_mel_bands(waveform, codec.sample_rate, codec.hop)),
        }
        if discrete:
            features |= {"codes": codes, **{name: own[utterance] for name, own in others.items()}}
        data = speech.data
        where = codec.hop / codec.sample_rate, data.utt2offset.get(utterance, 0.0), data.utt2spk[utterance], utterance
        for name, own in features.items():
            items.setdefault(name, []).extend(triphones(own, labels[utterance], *where))
    if not items:
        raise CannotMeasure("no labelled utterance can be read")
    return items


def distance_of(representation: str) -> Distance:
    """How items of a representation are compared."""
    return angular if representation in ("vectors", "mfcc", "log_mel") else levenshtein


def measure_speaker(
    codec: "Codec", coded: Coded, train: Speech, test: Speech, limit: int, baselines: Baselines
) -> dict[str, Any]:
    """How well a linear probe names the speaker by the codes, and in `beside` by those of the baselines.

    Learns from `train` and scores on `test`, of each `limit` utterances, as many of every speaker: more where these are
    too few to learn from. Raises CannotMeasure
    where too few speakers are in both.
    """
    require_codes(codec)
    speakers = sorted(set(train.data.speakers) & set(test.data.speakers))
    if len(speakers) < 2:
        raise CannotMeasure("fewer than two speakers are in both training and test speech")

    def spoken(name: str, coded: Coded, speech: Speech) -> list[Segment]:
        own = speech.data.spk2utt
        most = max(FOLDS if speech is train else 1, limit // len(speakers))
        chosen = [id for speaker in speakers for id in speech.first(most, own[speaker])]
        return [
            segment
            for id, codes in coded.of(speech, progress(chosen, f"speakers, {name}", unit="utt"))
            for segment in segments(codes, speech.data.utt2spk[id], id, codec.hop / codec.sample_rate)
        ]

    found = {
        name: asdict(speaker_probe(spoken(name, own, train), spoken(name, own, test), own.codes))
        for name, own in {"model": coded, **baselines()}.items()
    }
    return found.pop("model") | {"beside": found}


def _standardised(features: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over the utterance: by their means all frames would lie in one direction."""
    return (features - features.mean(0)) / (features.std(0) + 1e-6)
