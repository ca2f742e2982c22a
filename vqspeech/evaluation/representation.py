"""The measures of a codec's codes on held-out speech, beside the same measures of the baselines."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vqspeech.data.labels import frame_labels
from vqspeech.evaluation.boundaries import boundary_scores, even_boundaries, spoken_boundaries, unit_boundaries
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.codes import bitrates, code_usage, entropy_interval, merged_interval
from vqspeech.evaluation.mfcc_kmeans import MfccKMeans
from vqspeech.evaluation.missing import CannotMeasure, require_codes
from vqspeech.evaluation.phones import is_speech, phone_accuracy
from vqspeech.evaluation.purity import purity
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

if TYPE_CHECKING:
    from vqspeech.codec import Codec

MOST_CLUSTERS = 2048
"""Of the baseline, where a residual stack has more codes than k-means could find."""


Baselines = Callable[[], Mapping[str, Coded]]
"""Makes them when they are first wanted."""


def fit_baselines(codec: "Codec", train: Speech, limit: int) -> dict[str, Coded]:
    """What codes stand beside: MFCC k-means, the same of MFCCs without each utterance's mean, and random codes.

    All are as many and at the same rate; clusters are fitted to the first `limit` utterances by hash. Raises
    CannotMeasure when none can be read.
    """
    utterances = progress(train.first(limit), "MFCC k-means", unit="utt")
    waveforms = [waveform for _, waveform in train.read(utterances)]
    if not waveforms:
        raise CannotMeasure(f"none of the utterances of {train.path} can be read")
    found = {}
    for name, centred in (("mfcc_kmeans", False), ("mfcc_kmeans_centred", True)):
        size = min(codec.codes, MOST_CLUSTERS)
        kmeans = MfccKMeans(size, codec.sample_rate, codec.hop, centred=centred).fit(waveforms)
        found[name] = Coded(kmeans.encode, kmeans.codes)
    return found | {"random": Coded.random(codec.codes, codec.hop)}


def measure_codes(codec: "Codec", coded: Coded, speech: Speech, limit: int) -> dict[str, Any]:
    """Code usage and bitrates on the first `limit` utterances by hash; CannotMeasure when none can be read."""
    require_codes(codec)
    utterances = progress(speech.first(limit), "encode", unit="utt")
    streams = [codes for _, codes in coded.of(speech, utterances)]
    if not streams:
        raise CannotMeasure(f"none of the utterances of {speech.path} can be read")
    rate = codec.sample_rate / codec.hop
    bits = entropy_interval(streams, codec.codes)
    return {
        **asdict(code_usage(np.concatenate(streams), codec.codes)),
        "entropy_interval": bits,
        "perplexity_interval": [2.0**end for end in bits],
        "bitrate": {
            **asdict(bitrates(streams, codec.codes, rate)),
            "entropy_interval": [rate * end for end in bits],
            "merged_interval": merged_interval(streams, rate),
        },
        "utterances": len(streams),
    }


def measure_phones(
    codec: "Codec", coded: Coded, train: Speech, test: Speech, limit: int, baselines: Baselines
) -> dict[str, Any]:
    """Majority-map accuracy, purity and boundaries of the codes, and in `beside` those of the baselines.

    `boundaries.even` are those of as many boundaries, evenly spaced; `silence` is the share of the labelled test frames
    that is left out.

    The first `limit` labelled utterances by hash of `train` are learnt from, those of `test` scored.
    Raises CannotMeasure when a side has no phone labels that can be read, or the sides have no phone in common.
    """
    require_codes(codec)
    learning = train.first(limit, among=train.data.labels)
    scoring = test.first(limit, among=test.data.labels)
    if not learning or not scoring:
        raise CannotMeasure("no phone labels")
    learnt, scored = train.labels(learning), test.labels(scoring)
    if not learnt or not scored:
        raise CannotMeasure("no labelled utterance can be read")
    labels = learnt | scored

    def heard(coded: Coded, speech: Speech, utterances: Iterable[str]) -> Heard:
        heard = Heard([], [], [])
        for utterance, stream in coded.of(speech, utterances):
            offset = speech.data.utt2offset.get(utterance, 0.0)
            heard.codes.append(stream)
            heard.labels.append(frame_labels(labels[utterance], len(stream), frame_seconds, offset))
            times = np.array([time - offset for time in spoken_boundaries(labels[utterance])])
            heard.boundaries.append(times[(times > 0) & (times < len(stream) * frame_seconds)])
        return heard

    frame_seconds = codec.hop / codec.sample_rate
    found: dict[str, dict[str, Any]] = {}
    for name, own in {"model": coded, **baselines()}.items():
        ours = heard(own, train, progress(learnt, f"phones, {name}", unit="utt"))
        theirs = heard(own, test, scored)
        spoken = [is_speech(phones) for phones in theirs.labels]
        check_phone_sets(ours.labels, theirs.labels)
        pairs = (
            (unit_boundaries(row, speech, frame_seconds), true)
            for row, speech, true in zip(theirs.codes, spoken, theirs.boundaries, strict=True)
        )
        found[name] = {
            **asdict(phone_accuracy(ours.codes, ours.labels, theirs.codes, theirs.labels, codec.codes)),
            **asdict(purity(*(_chosen(rows, spoken) for rows in (theirs.codes, theirs.labels)))),
            "boundaries": asdict(boundary_scores(pairs)),
        }
    even = boundary_scores((even_boundaries(true), true) for true in theirs.boundaries)
    model = found.pop("model")
    model["boundaries"]["even"] = asdict(even)
    labelled = np.concatenate(theirs.labels) != ""
    return model | {
        "silence": float(1 - np.concatenate(spoken)[labelled].mean()),
        "beside": found,
        "train_utterances": len(learnt),
        "test_utterances": len(scored),
    }


def check_phone_sets(*sides: Sequence[np.ndarray]) -> None:
    """Raise CannotMeasure when the labels `[N]` of two sides share no phone, which would score as nothing right."""
    train, test = ({phone for row in side for phone in np.unique(row[is_speech(row)])} for side in sides)
    if train and test and not train & test:
        names = (" ".join(sorted(side)[:4]) for side in (train, test))
        raise CannotMeasure("training speech ({}, ...) and test speech ({}, ...) share no phone".format(*names))


def _chosen(rows: Sequence[np.ndarray], where: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each of `rows` [N] what is true in `where` [N]."""
    return [row[chosen] for row, chosen in zip(rows, where, strict=True)]


class Heard(NamedTuple):
    """What was heard in some utterances, one entry each."""

    codes: list[np.ndarray]
    labels: list[np.ndarray]
    """The phone of each frame."""
    boundaries: list[np.ndarray]
    """Seconds at which one phone gives way to another."""
