"""The measures of a codec's codes on held-out speech, beside the same measures of the baselines."""

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.errors import VqspeechError
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
    """Code usage and bitrates on the first `limit` utterances by hash; VqspeechError when none can be read."""
    utterances = progress(speech.first(limit), "encode", unit="utt")
    streams = [codec.encode(waveform) for _, waveform in speech.read(utterances)]
    if not streams:
        raise VqspeechError(f"{speech.path}: none of its utterances can be read")
    usage = code_usage(np.concatenate(streams), codec.codes)
    rates = bitrates(streams, codec.codes, codec.sample_rate / codec.hop)
    return asdict(usage) | {"bitrate": asdict(rates), "utterances": len(streams)}


def measure_phones(codec: "Codec", train: Speech, test: Speech, limit: int) -> dict[str, Any]:
    """Majority-map accuracy of the codes and of MFCC k-means.

    The first `limit` labelled utterances by hash of `train` are learnt from, those of `test` scored.
    Raises CannotMeasure when a side has no phone labels.
    """
    learning = train.first(limit, among=train.data.labels)
    scoring = test.first(limit, among=test.data.labels)
    if not learning or not scoring:
        raise CannotMeasure("no phone labels")

    from vqspeech.data.labels import read_labels

    labels = {
        utterance: read_labels(speech.data.labels[utterance])
        for speech, utterances in ((train, learning), (test, scoring))
        for utterance in utterances
    }

    def frames(speech: Speech, utterances: Iterable[str], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
        codes, phones = [], []
        for utterance, waveform in speech.read(utterances):
            stream = encode(waveform)
            offset = speech.data.utt2offset.get(utterance, 0.0)
            codes.append(stream)
            phones.append(frame_labels(labels[utterance], len(stream), codec.hop / codec.sample_rate, offset))
        return np.concatenate(codes), np.concatenate(phones)

    kmeans = MfccKMeans(codec.codes, codec.sample_rate, codec.hop)
    kmeans.fit(waveform for _, waveform in train.read(progress(learning, "MFCC k-means", unit="utt")))
    scores = {
        name: phone_accuracy(
            *frames(train, progress(learning, f"phones, {name}", unit="utt"), encode),
            *frames(test, scoring, encode),
            codec.codes,
        )
        for name, encode in {"model": codec.encode, "MFCC k-means": kmeans.encode}.items()
    }
    return asdict(scores["model"]) | {
        "mfcc_kmeans": scores["MFCC k-means"].accuracy,
        "train_utterances": len(learning),
        "test_utterances": len(scoring),
    }
