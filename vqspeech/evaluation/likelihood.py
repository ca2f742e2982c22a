"""Bits per sample on held-out speech, and against the same decoder trained without codes."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vqspeech.evaluation.bits import bits, choices, draw_generator
from vqspeech.evaluation.bootstrap import mean_of
from vqspeech.evaluation.missing import CannotMeasure
from vqspeech.evaluation.speech import Speech
from vqspeech.training.log import read_metrics

if TYPE_CHECKING:
    from torch import Tensor

    from vqspeech.codec import Codec

METRICS = Path("train", "metrics.jsonl")
CROP_SECONDS = 1.0
UTTERANCES = 64


def measure_bits(codec: "Codec", speech: Speech) -> dict[str, Any]:
    """Bits per sample with true, shuffled and zeroed codes.

    Measured on the middle second of the first 64 utterances by hash, without those that are shorter; raises
    CannotMeasure when fewer than two are left.
    """
    waveforms, speakers = _crops(codec, speech)
    latents = codec.model.encode(waveforms).latents
    found: dict[str, Any] = {"utterances": len(waveforms), "seconds": len(waveforms) * CROP_SECONDS}
    for name, chosen in choices(latents).items():
        found |= mean_of(name, _bits_per_sample(codec, waveforms, speakers, chosen))
    return found


def measure_bound(codec: "Codec", speech: Speech, prior: Path | None) -> dict[str, Any]:
    """The whole bound in bits per sample, `-log2 p(x | z)` and what the codes z cost, on the crops of `measure_bits`.

    `given_codes` is the first term, `codes` the second and `bound` their sum, both by the name of the prior: those of
    the folder `prior` for codes, the normal distribution for a Gaussian posterior. z is drawn where the posterior q is
    more than one point, as `drawn` tells, and then costs `log2 q(z | x) - log2 p(z)`. Every crop counts as a beginning.
    Raises CannotMeasure where no prior is known. Source: Oord et al. 2017, section 3.1.
    """
    import torch

    waveforms, speakers = _crops(codec, speech)
    generator = draw_generator()
    # One by one, since each has a divergence of its own.
    codes = [codec.model.encode(waveform.unsqueeze(0), generator) for waveform in waveforms]
    divergence = np.array([0.0 if one.kl is None else float(one.kl) / math.log(2) for one in codes])
    if not codec.model.bottleneck.discrete:
        if codes[0].kl is None:
            raise CannotMeasure(f"the bottleneck {codec.config.bottleneck.name} has no prior")
        per_frame = {"normal": divergence}
    elif prior is None:
        raise CannotMeasure("no prior was given")
    else:
        entropy = 0.0 if codes[0].kl is None else math.log2(codec.codes) - divergence
        indices = [one.indices[0].cpu().numpy() for one in codes]
        found = _prior_bits(codec, indices, speakers, prior)
        per_frame = {name: own - entropy for name, own in found.items()}
    given = _bits_per_sample(codec, waveforms, speakers, torch.cat([one.latents for one in codes]))
    cost = {name: own / codec.hop for name, own in per_frame.items()}
    return {
        "drawn": codes[0].kl is not None,
        **mean_of("given_codes", given),
        **_means_of("codes", cost),
        **_means_of("bound", {name: given + own for name, own in cost.items()}),
    }


def _bits_per_sample(codec: "Codec", waveforms: "Tensor", speakers: "Tensor", latents: "Tensor") -> np.ndarray:
    """Of each of the waveforms `[B, T]`, given its latents `[B, D, N]`: `[B]`."""
    samples = waveforms.shape[1]
    lengths = speakers.new_full((len(waveforms),), samples)
    return bits(codec.model, waveforms, speakers, latents, lengths).cpu().numpy() / samples


def _means_of(name: str, values: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Means by the name of the prior, and apart from them their intervals."""
    found = {prior: mean_of("mean", own) for prior, own in values.items()}
    return {
        name: {prior: own["mean"] for prior, own in found.items()},
        f"{name}_interval": {prior: own["mean_interval"] for prior, own in found.items()},
    }


def _prior_bits(
    codec: "Codec", indices: Sequence[np.ndarray], speakers: "Tensor", folder: Path
) -> dict[str, np.ndarray]:
    """Bits per code of each sequence of codes `[N]`, by the name of the prior."""
    from vqspeech.evaluation.prior import bits_per_code
    from vqspeech.units.model import model_sha256
    from vqspeech.units.prior import SCHEMES, check_prior, load_priors

    priors = load_priors(folder)
    check_prior(priors, model_sha256(codec), folder)
    names = [codec.speakers[row] for row in speakers.tolist()]
    rows = [priors.speakers.index(name) if name in priors.speakers else -1 for name in names]
    return {
        scheme: np.array([bits_per_code(priors[scheme], [own], [row]) for own, row in zip(indices, rows, strict=True)])
        for scheme in SCHEMES
    }


def _crops(codec: "Codec", speech: Speech) -> tuple["Tensor", "Tensor"]:
    """The middle second of the first utterances by hash of known speakers `[B, T]`, and their rows `[B]`."""
    import torch

    length = round(CROP_SECONDS * codec.sample_rate)
    crops, speakers = [], []
    known = (id for id, speaker in speech.data.utt2spk.items() if speaker in codec.speakers)
    for utterance, waveform in speech.read(speech.first(UTTERANCES, among=known)):
        start = (len(waveform) - length) // 2
        if start >= 0:
            crops.append(waveform[start : start + length])
            speakers.append(codec.speaker_index(speech.data.utt2spk[utterance]))
    if len(crops) < 2:
        raise CannotMeasure(f"fewer than two utterances of {CROP_SECONDS:g} s by speakers that the model knows")
    return torch.from_numpy(np.stack(crops)).to(codec.device), torch.tensor(speakers, device=codec.device)


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
