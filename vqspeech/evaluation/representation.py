"""The measures of a codec's codes on held-out speech, beside the same measures of the baselines."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vqspeech.data.labels import frame_labels
from vqspeech.evaluation.boundaries import boundary_scores, spoken_boundaries, unit_boundaries
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


def fit_baseline(codec: "Codec", train: Speech, limit: int) -> Coded:
    """Codes by MFCC k-means, as many and at the same rate, fitted to the first `limit` utterances by hash.

    Raises CannotMeasure when none can be read.
    """
    utterances = progress(train.first(limit), "MFCC k-means", unit="utt")
    waveforms = [waveform for _, waveform in train.read(utterances)]
    if not waveforms:
        raise CannotMeasure(f"none of the utterances of {train.path} can be read")
    kmeans = MfccKMeans(min(codec.codes, MOST_CLUSTERS), codec.sample_rate, codec.hop).fit(waveforms)
    return Coded(kmeans.encode, kmeans.codes)


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
    codec: "Codec", coded: Coded, train: Speech, test: Speech, limit: int, baseline: Callable[[], Coded]
) -> dict[str, Any]:
    """Majority-map accuracy, purity and boundaries of the codes, and in `beside` those of MFCC k-means.

    The first `limit` labelled utterances by hash of `train` are learnt from, those of `test` scored.
    Raises CannotMeasure when a side has no phone labels that can be read.
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
    for name, own in {"model": coded, "mfcc_kmeans": baseline()}.items():
        ours = heard(own, train, progress(learnt, f"phones, {name}", unit="utt"))
        theirs = heard(own, test, scored)
        spoken = [is_speech(phones) for phones in theirs.labels]
        pairs = (
            (unit_boundaries(row, speech, frame_seconds), true)
            for row, speech, true in zip(theirs.codes, spoken, theirs.boundaries, strict=True)
        )
        found[name] = {
            **asdict(phone_accuracy(ours.codes, ours.labels, theirs.codes, theirs.labels, codec.codes)),
            **asdict(purity(*(_chosen(rows, spoken) for rows in (theirs.codes, theirs.labels)))),
            "boundaries": asdict(boundary_scores(pairs)),
        }
    return found["model"] | {
        "mfcc_kmeans": found["mfcc_kmeans"]["accuracy"],
        "beside": found["mfcc_kmeans"],
        "train_utterances": len(learnt),
        "test_utterances": len(scored),
    }


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
