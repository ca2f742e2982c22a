"""Held-out utterances said again by the model: by their own speaker (copies) and by others (conversions)."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqspeech import audio
from vqspeech.data.splits import normalise_text
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import meter

if TYPE_CHECKING:
    from vqspeech.codec import Codec

TARGETS = 8
SHORTEST_SECONDS = 1.0


@dataclass(frozen=True)
class Excerpt:
    """The beginning of a held-out utterance, or all of it."""

    utterance: str
    speaker: str
    waveform: np.ndarray
    """[T] at the model's rate."""
    text: str | None
    """What the whole utterance says, where the corpus has texts."""
    whole: bool
    """Whether this is all of the utterance."""
    seen: bool
    """Whether the model knows the speaker."""


@dataclass(frozen=True)
class Sample:
    """What the model made of an excerpt."""

    source: Excerpt
    speaker: str
    """Whose voice it is meant to be."""
    waveform: np.ndarray
    """[T], as long as the source."""

    @property
    def is_copy(self) -> bool:
        """Whether the voice is the source's own."""
        return self.speaker == self.source.speaker

    @property
    def name(self) -> str:
        """The utterance, and for a conversion the target, as `vqspeech-convert` names files."""
        return self.source.utterance if self.is_copy else f"{self.source.utterance}_{self.speaker}"


def choose_excerpts(
    speech: Speech, count: int, seconds: float, seen: bool, among: Sequence[str] | None = None
) -> list[Excerpt]:
    """The first `count` utterances by hash, of all or those speakers.

    Those of 1 to `seconds` seconds come before others, which are cut.
    """
    lengths, utt2spk = speech.data.utt2dur, speech.data.utt2spk
    by_hash = [id for id in speech.first(len(speech)) if among is None or utt2spk[id] in among]
    ranked = sorted(by_hash, key=lambda utterance: not SHORTEST_SECONDS <= lengths[utterance] <= seconds)
    excerpts = []
    for utterance, waveform in speech.read(ranked):
        if len(excerpts) == count:
            break
        kept = waveform[: round(seconds * speech.sample_rate)]
        whole = len(kept) == len(waveform)
        speaker, text = speech.data.utt2spk[utterance], speech.data.texts.get(utterance)
        excerpts.append(Excerpt(utterance, speaker, kept, text, whole, seen))
    return excerpts


def choose_targets(train: Speech, count: int = TARGETS) -> list[str]:
    """The `count` speakers with the most training speech, sorted: voices the model had a chance to learn."""
    seconds = dict.fromkeys(train.data.speakers, 0.0)
    for utterance, speaker in train.data.utt2spk.items():
        seconds[speaker] += train.data.utt2dur[utterance]
    return sorted(sorted(seconds, key=lambda speaker: (-seconds[speaker], speaker))[:count])


def readers(speech: Speech) -> dict[str, set[str]]:
    """The speakers who read each (normalised) text of a data dir."""
    speakers: dict[str, set[str]] = defaultdict(set)
    for utterance, text in speech.data.texts.items():
        speakers[normalise_text(text)].add(speech.data.utt2spk[utterance])
    return speakers


def pair_with_targets(
    sources: Sequence[Excerpt], targets: Sequence[str], readers: Mapping[str, set[str]]
) -> list[tuple[Excerpt, str]]:
    """Give every source a target other than its own speaker, going round the targets.

    A target among the `readers` of the same text comes first. A source without any other target is left out.
    """
    pairs = []
    for index, source in enumerate(sources):
        start = index % len(targets)
        others = [target for target in (*targets[start:], *targets[:start]) if target != source.speaker]
        same_text = [target for target in others if target in readers.get(normalise_text(source.text or ""), ())]
        pairs += [(source, target) for target in (same_text or others)[:1]]
    return pairs


def make_samples(codec: "Codec", pairs: Sequence[tuple[Excerpt, str]], temperature: float, out: Path) -> list[Sample]:
    """Say every excerpt in the voice beside it, all in one batch, and write sources and results as wavs.

    The sources go to `out/source`, copies to `out/copy`, conversions to `out/<target>`.
    """
    units = [codec.encode(source.waveform, level=False) for source, _ in pairs]
    voices = [speaker for _, speaker in pairs]
    with meter("sample", 100, "%") as show:
        decoded = codec.decode_batch(units, voices, temperature, heard=lambda share: show(round(100 * share)))
    samples = [
        Sample(source, speaker, waveform[: len(source.waveform)])
        for (source, speaker), waveform in zip(pairs, decoded, strict=True)
    ]
    for sample in samples:
        source = sample.source
        audio.write(out / "source" / f"{source.utterance}.wav", source.waveform, codec.sample_rate)
        audio.write(wav_path(sample, out), sample.waveform, codec.sample_rate)
    return samples


def wav_path(sample: Sample, out: Path) -> Path:
    """Where `make_samples` writes a sample."""
    return out / ("copy" if sample.is_copy else sample.speaker) / f"{sample.name}.wav"


def interleave(first: Sequence[Excerpt], second: Sequence[Excerpt]) -> list[Excerpt]:
    """One of each in turn, then what is left of the longer."""
    return [excerpt for pair in zip_longest(first, second) for excerpt in pair if excerpt is not None]
