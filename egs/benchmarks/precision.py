"""How far the compiled samplers are from plain teacher forcing on real speech, in logits and in bits."""

import math
from itertools import islice

import torch
from contest import Result

from vqspeech import audio
from vqspeech.codec import Codec
from vqspeech.config import SamplerName
from vqspeech.data.kaldi import DataDir
from vqspeech.synthesis.sampler import teacher_forced

UTTERANCES = 8
SECONDS = 2
SAMPLERS: tuple[SamplerName, ...] = ("cpu-float32", "cpu")


@torch.no_grad()
def results(codec: Codec, data: DataDir) -> list[Result]:
    """Over two seconds of each of eight utterances: bits per sample, and the largest difference of any logit."""
    decoder = codec.model.decoder
    nats = dict.fromkeys(("teacher forcing", *SAMPLERS), 0.0)
    apart: dict[SamplerName, float] = dict.fromkeys(SAMPLERS, 0.0)
    largest, samples = 0.0, 0
    for utterance in islice(data.utterances, UTTERANCES):
        waveform = audio.read(data.wavs[utterance], codec.sample_rate)[: SECONDS * codec.sample_rate]
        waveform = torch.from_numpy(waveform[: len(waveform) // codec.hop * codec.hop]).unsqueeze(0)
        speaker = torch.tensor([codec.speaker_index(data.utt2spk[utterance])])
        conditioning = codec.model.conditioning(codec.model.encode(waveform).indices, speaker)
        expected = decoder(waveform, conditioning)
        largest = max(largest, float(expected.abs().max()))
        samples += waveform.shape[1]
        nats["teacher forcing"] += float(decoder.output.negative_log_likelihood(expected, waveform).sum())
        for name in SAMPLERS:
            logits = teacher_forced(decoder, waveform, conditioning, name)
            apart[name] = max(apart[name], float((logits - expected).abs().max()))
            nats[name] += float(decoder.output.negative_log_likelihood(logits, waveform).sum())
    contest = f"samplers against teacher forcing, {samples / codec.sample_rate:.0f} s of real speech"
    found = []
    for name, total in nats.items():
        bits = total / samples / math.log(2)
        note = f"logits at most {apart[name]:.1e} apart" if name in apart else f"logits of at most {largest:.0f}"
        found.append(Result(contest, name, "bits/sample", bits, bits, bits, note))
    return found
