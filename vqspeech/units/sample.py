"""Units that nobody spoke, drawn from a prior."""

from pathlib import Path

import numpy as np
import torch

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.errors import VqspeechError
from vqspeech.models.prior import sample
from vqspeech.units.model import model_sha256
from vqspeech.units.prior import Scheme, check_prior, load_priors, speaker_rows


def sample_units(
    codec: Codec,
    prior: Path,
    scheme: Scheme,
    speaker: str,
    seconds: float,
    count: int,
    prompt: Path | None = None,
    temperature: float = 1.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Draw `count` unit sequences `[N]` of so many seconds; the same seed gives the same ones.

    They begin with the units of the audio file `prompt`, if there is one. Raises VqspeechError for a prior of another
    model, an unknown speaker and a prompt that leaves nothing to draw.
    """
    codec.require_codes()
    codec.speaker_index(speaker)
    priors = load_priors(prior)
    check_prior(priors, model_sha256(codec), prior)
    frames = max(1, round(seconds * codec.sample_rate / codec.hop))
    begin = None
    if prompt is not None:
        begin = torch.from_numpy(codec.encode(audio.read(prompt, codec.sample_rate)))
        if len(begin) >= frames:
            length = len(begin) * codec.hop / codec.sample_rate
            raise VqspeechError(f"prompt {prompt} lasts {length:.2f} s: --seconds has to be more, to go on from it")
    # Mixed, so that the second sample of one seed is not the first of the next.
    seeds = [np.random.SeedSequence([seed % 2**64, number]).generate_state(1, np.uint64) for number in range(count)]
    generators = [torch.Generator().manual_seed(int(state[0])) for state in seeds]
    rows = speaker_rows(priors, speaker, count)
    drawn = sample(priors[scheme], frames, generators, rows, begin, temperature, top_p)
    width = len(str(count))
    return {f"{scheme}-{number:0{width}}": row.numpy() for number, row in enumerate(drawn, 1)}
