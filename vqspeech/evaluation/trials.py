"""Which held-out utterances are converted to which voices, to score conversion by.

`python -m vqspeech.evaluation.trials` writes, for `recipes/vctk/local/score_conversion.sh`, a data dir `sources` and
lists with lines `utterance target`: `trials`; `parallel`, more of texts that the target reads too; `copies`, sources of
the trials whose speaker the model knows, in their own voice.
"""

import argparse
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import cycle, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

import vqspeech
from vqspeech.conversion.plan import chosen_speakers
from vqspeech.data.kaldi import DataDir, read_data_dir, write_data_dir
from vqspeech.data.splits import normalise_text
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.samples import SHORTEST_SECONDS
from vqspeech.evaluation.selection import by_hash
from vqspeech.files import atomic_write
from vqspeech.lookup import find_model
from vqspeech.progress import say

VOICES = ("p225", "p226", "p227", "p228", "bdl", "slt", "kathleen")
"""Targets unless told: those of them that the model knows."""
SOURCES, TRIALS, PARALLEL, COPIES = "sources", "trials", "parallel", "copies"


class Trial(NamedTuple):
    """An utterance that is to be said in the voice of `target`."""

    utterance: str
    target: str


def default_targets(speakers: Sequence[str]) -> list[str]:
    """Those of `VOICES` among the model's speakers; all of a model that knows none of them."""
    return [voice for voice in VOICES if voice in speakers] or list(speakers)


def merge(folders: Sequence[Path], trained: Collection[str], path: Path) -> DataDir:
    """The utterances of all data dirs of a second or more whose (normalised) text is not among those `trained`."""
    dirs = [read_data_dir(folder) for folder in folders]
    merged = DataDir(
        path,
        **{
            name: {key: value for data in dirs for key, value in getattr(data, name).items()}
            for name in ("wavs", "utt2spk", "texts", "spk2gender", "utt2dur", "utt2offset")
        },
    )
    kept = (
        utterance
        for utterance in merged.utterances
        if merged.utt2dur.get(utterance, 0.0) >= SHORTEST_SECONDS
        and normalise_text(merged.texts.get(utterance, "")) not in trained
    )
    return merged.subset(kept)


def choose_trials(
    data: DataDir, seen: Collection[str], genders: Mapping[str, str], targets: Sequence[str], count: int
) -> list[Trial]:
    """At least `count` conversions of utterances of `data`, where it has so many: as many to every target.

    Sources of a target take turns: speakers among those `seen` by the model and others, of the target's gender and of
    the other. Of each kind the utterance comes first that has been used least, then that of the speaker used least.
    """
    uses, speaker_uses = Counter[str](), Counter[str]()
    trials: list[Trial] = []
    for target in targets:
        kinds = defaultdict[tuple[bool, bool], list[str]](list)
        for utterance in by_hash(data.utterances, salt=target):
            speaker = data.utt2spk[utterance]
            if speaker != target:
                kinds[speaker in seen, genders.get(speaker) == genders.get(target)].append(utterance)
        turns = cycle(sorted(kinds))
        for _ in range(min(math.ceil(count / len(targets)), sum(map(len, kinds.values())))):
            kind = next(kinds[turn] for turn in turns if kinds[turn])
            utterance = min(kind, key=lambda one: (uses[one], speaker_uses[data.utt2spk[one]]))
            kind.remove(utterance)
            uses[utterance] += 1
            speaker_uses[data.utt2spk[utterance]] += 1
            trials.append(Trial(utterance, target))
    return trials


def readings(data: DataDir) -> dict[tuple[str, str], str]:
    """The utterance in which a speaker reads a (normalised) text."""
    return {(data.utt2spk[utterance], normalise_text(text)): utterance for utterance, text in data.texts.items()}


def choose_parallel(data: DataDir, targets: Sequence[str], count: int) -> list[Trial]:
    """At most `count` conversions of utterances whose text the target reads in `data` as well, the targets by turns."""
    known = readings(data)
    of_targets = [
        [
            Trial(utterance, target)
            for utterance in by_hash(data.texts, salt=target)
            if data.utt2spk[utterance] != target and (target, normalise_text(data.texts[utterance])) in known
        ]
        for target in targets
    ]
    in_turn = (trial for turn in zip_longest(*of_targets) for trial in turn if trial)
    return list(islice(in_turn, count))


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write a line `utterance target` for each."""
    with atomic_write(path) as file:
        file.writelines(f"{utterance} {target}\n" for utterance, target in trials)


def read_trials(path: Path) -> list[Trial]:
    """Read what `write_trials` has written."""
    return [Trial(*line.split()) for line in path.read_text(encoding="utf-8").splitlines()]


def choose(
    data: Sequence[Path],
    train_data: Path,
    out: Path,
    conversions: int,
    parallel: int,
    targets: str | None = None,
    model: Path | None = None,
) -> None:
    """Do what the command does, to which the parameters are flags.

    Raises VqspeechError for targets that cannot be scored, and when there is nothing to convert.
    """
    codec = vqspeech.load(find_model(model))
    voices = chosen_speakers(codec, targets) if targets else default_targets(codec.speakers)
    train = read_data_dir(train_data)
    for voice in voices:
        if voice not in train.speakers:
            raise VqspeechError(f"{train_data} has no speech of target {voice} to compare conversions with")
    held_out = merge(data, {normalise_text(text) for text in train.texts.values()}, out / SOURCES)
    genders = train.spk2gender | held_out.spk2gender
    chosen = choose_trials(held_out, codec.speakers, genders, voices, conversions)
    if not chosen:
        raise VqspeechError(f"no utterance of {', '.join(map(str, data))} to convert")
    shared = choose_parallel(held_out, voices, parallel)
    own = readings(held_out)
    needed = {trial.utterance for trial in (*chosen, *shared)}
    needed |= {own[trial.target, normalise_text(held_out.texts[trial.utterance])] for trial in shared}
    write_data_dir(held_out.subset(needed))
    known = {Trial(trial.utterance, held_out.utt2spk[trial.utterance]) for trial in chosen}
    write_trials(out / TRIALS, chosen)
    write_trials(out / PARALLEL, shared)
    write_trials(out / COPIES, sorted(copy for copy in known if copy.target in codec.speakers))
    say(f"{len(chosen)} conversions to {', '.join(voices)}, and {len(shared)} of texts that the target reads too")


def main() -> None:
    """Choose the conversions by which a model is scored."""
    parser = argparse.ArgumentParser("python -m vqspeech.evaluation.trials", description=main.__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="data directories of held-out utterances")
    parser.add_argument("--train-data", type=Path, required=True, help="what the model learned from")
    parser.add_argument("--targets", help="voices parted by commas, or all")
    parser.add_argument("--conversions", type=int, required=True)
    parser.add_argument("--parallel", type=int, required=True, help="conversions of texts that the target reads too")
    parser.add_argument("--out", type=Path, required=True)
    try:
        choose(**vars(parser.parse_args()))
    except VqspeechError as error:
        sys.exit(f"trials: {error}")


if __name__ == "__main__":
    main()
