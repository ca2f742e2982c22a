"""The measures of a codec's codes on held-out speech, beside the same measures of the baselines."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.codes import bitrates, code_usage
from vqspeech.evaluation.mfcc_kmeans import MfccKMeans
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.phones import frame_labels, phone_accuracy
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress

if TYPE_CHECKING:
    from vqspeech.codec import Codec

Encode = Callable[[np.ndarray], np.ndarray]


def measure_codes(codec: "Codec", speech: Speech, limit: int) -> dict[str, Any]:
    """Code usage and bitrates on the first `limit` utterances by hash; CannotMeasure when none can be read."""
    utterances = progress(speech.first(limit), "encode", unit="utt")
    streams = [codec.encode(waveform, level=False) for _, waveform in speech.read(utterances)]
    if not streams:
        raise CannotMeasure(f"none of the utterances of {speech.path} can be read")
    usage = code_usage(np.concatenate(streams), codec.codes)
    rates = bitrates(streams, codec.codes, codec.sample_rate / codec.hop)
    return asdict(usage) | {"bitrate": asdict(rates), "utterances": len(streams)}


def measure_phones(codec: "Codec", train: Speech, test: Speech, limit: int) -> dict[str, Any]:
    """Majority-map accuracy of the codes and of MFCC k-means.

    The first `limit` labelled utterances by hash of `train` are learnt from, those of `test` scored.
    Raises CannotMeasure when a side has no phone labels that can be read.
    """
    learning = train.first(limit, among=train.data.labels)
    scoring = test.first(limit, among=test.data.labels)
    if not learning or not scoring:
        raise CannotMeasure("no phone labels")
    learnt, scored = train.labels(learning), test.labels(scoring)
    if not learnt or not scored:
        raise CannotMeasure("no labelled utterance can be read")
    labels = learnt | scored

    def frames(speech: Speech, utterances: Iterable[str], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
        codes, phones = [], []
        for utterance, waveform in speech.read(utterances):
            stream = encode(waveform)
            offset = speech.data.utt2offset.get(utterance, 0.0)
            codes.append(stream)
            phones.append(frame_labels(labels[utterance], len(stream), codec.hop / codec.sample_rate, offset))
        return np.concatenate(codes), np.concatenate(phones)

    kmeans = MfccKMeans(codec.codes, codec.sample_rate, codec.hop)
    kmeans.fit(waveform for _, waveform in train.read(progress(learnt, "MFCC k-means", unit="utt")))
    # The audio of data dirs is levelled already, as in vqspeech-units.
    encoders = {"model": partial(codec.encode, level=False), "MFCC k-means": kmeans.encode}
    scores = {
        name: phone_accuracy(
            *frames(train, progress(learnt, f"phones, {name}", unit="utt"), encode),
            *frames(test, scored, encode),
            codec.codes,
        )
        for name, encode in encoders.items()
    }
    return asdict(scores["model"]) | {
        "mfcc_kmeans": scores["MFCC k-means"].accuracy,
        "train_utterances": len(learnt),
        "test_utterances": len(scored),
    }
