"""Bits per sample on held-out speech, and against the same decoder trained without codes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.bits import bits_per_sample
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speech import Speech
from vqspeech.training.log import read_metrics

if TYPE_CHECKING:
    from vqspeech.codec import Codec

METRICS = Path("train", "metrics.jsonl")
CROP_SECONDS = 1.0
UTTERANCES = 64


def measure_bits(codec: "Codec", speech: Speech) -> dict[str, Any]:
    """Bits per sample with true, shuffled and zeroed codes.

    Measured on the middle second of the first 64 utterances by hash, without those that are shorter; raises
    CannotMeasure when fewer than two are left.
    """
    import torch

    length = round(CROP_SECONDS * codec.sample_rate)
    crops, speakers = [], []
    for utterance, waveform in speech.read(speech.first(UTTERANCES)):
        start = (len(waveform) - length) // 2
        if start >= 0:
            crops.append(waveform[start : start + length])
            speakers.append(codec.speaker_index(speech.data.utt2spk[utterance]))
    if len(crops) < 2:
        raise CannotMeasure(f"fewer than two held-out utterances of {CROP_SECONDS:g} s")
    batch = torch.from_numpy(np.stack(crops)).to(codec.device), torch.tensor(speakers, device=codec.device)
    bits = {codes: bits_per_sample(codec.model, *batch, codes) for codes in ("true", "shuffled", "zeroed")}
    return bits | {"utterances": len(crops), "seconds": len(crops) * CROP_SECONDS}


def measure_no_codes(codec: "Codec", model: Path, no_codes: Path | None) -> dict[str, Any]:
    """`bits_at_equal_steps` of two model folders; raises CannotMeasure without the second, or logs to compare.

    `code_bits` is what the codes themselves take, log2 K / hop bits for each sample. Between two decoders that model
    speech perfectly no difference could be larger: codes cannot save more than they say.
    """
    if no_codes is None:
        raise CannotMeasure("no model trained without codes was given")
    compared = bits_at_equal_steps(*(read_metrics(folder / METRICS) for folder in (model, no_codes)))
    if compared is None:
        raise CannotMeasure("the training logs hold no evaluation on dev speech")
    return compared | {"code_bits": math.log2(codec.codes) / codec.hop}


def bits_at_equal_steps(
    with_codes: Sequence[dict[str, Any]], without_codes: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """Compare the last dev evaluation of a run without codes with the nearest one of the run with codes.

    Takes the lines of both training logs. Returns `step` and `bits` of the run without, `step_with_codes` and
    `bits_with_codes` of the other; None when a log holds no evaluation on dev speech.
    """
    ours = [line for line in with_codes if line["split"] == "dev"]
    theirs = [line for line in without_codes if line["split"] == "dev"]
    if not ours or not theirs:
        return None
    last = max(theirs, key=lambda line: line["step"])
    nearest = min(ours, key=lambda line: abs(line["step"] - last["step"]))
    return {
        "step": last["step"],
        "bits": last["bits_true"],
        "step_with_codes": nearest["step"],
        "bits_with_codes": nearest["bits_true"],
    }
