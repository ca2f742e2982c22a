"""Conversions by every judge of them, beside the untouched source, WORLD, copy-synthesis and a mu-law copy.

`python -m vqspeech.evaluation.conversions` judges what `recipes/vctk/local/score_conversion.sh` has decoded of the
trials that `vqspeech.evaluation.trials` chose.
"""

import argparse
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import vqspeech
from vqspeech import audio
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.controls import by_other_means, mu_law, world_conversion
from vqspeech.evaluation.conversion_summary import by_target, count_sources, groups, summary
from vqspeech.evaluation.conversion_table import render
from vqspeech.evaluation.description import describe_environment, describe_model
from vqspeech.evaluation.ecapa import THRESHOLD
from vqspeech.evaluation.likelihood import METRICS
from vqspeech.evaluation.samples import Excerpt, Sample
from vqspeech.evaluation.speech import Speech
from vqspeech.evaluation.trial_judges import Judge, against_readings, find_judges
from vqspeech.evaluation.trials import COPIES, PARALLEL, SOURCES, TRIALS, read_trials
from vqspeech.extras import NotInstalled
from vqspeech.files import atomic_write
from vqspeech.lookup import find_model
from vqspeech.progress import progress
from vqspeech.training.log import read_metrics

OWN_VOICE = "source"
"""What `vqspeech-decode` calls the voice of the utterance's own speaker."""
NAME = "score_conversion"


def score(folder: Path, train_data: Path, command: str, model: Path | None = None, judges: Path | None = None) -> None:
    """Judge the conversions in `folder`; write `score_conversion.json`, all numbers, and `score_conversion.md` there.

    `folder` holds what `vqspeech.evaluation.trials` wrote, `wav/<target>/<utterance>.wav` of every trial, and of every
    copy `wav/source/<utterance>.wav`. Speakers are known by `train_data`. What a judge lacks is told in `missing`.
    Raises VqspeechError for speech that cannot be read.
    """
    path = find_model(model)
    codec = vqspeech.load(path)
    train, sources = (Speech(data, codec.sample_rate) for data in (train_data, folder / SOURCES))
    excerpts = read_excerpts(sources, codec.speakers)
    conversions, parallel, copies = (
        read_samples(folder, name, excerpts, codec.sample_rate) for name in (TRIALS, PARALLEL, COPIES)
    )
    speakers = {name for sample in conversions for name in (sample.speaker, sample.source.speaker)}
    found, missing = find_judges(train, sources, speakers, judges)
    try:
        world = world_conversion(train, sources, codec.sample_rate)
    except NotInstalled as reason:
        world, missing["world"] = None, str(reason)
    genders = train.data.spk2gender | sources.data.spk2gender

    systems = {
        "conversions": conversions,
        **by_other_means(conversions, world),
        "copies": copies,
        "mu_law": [replace(copy, waveform=mu_law(copy.source.waveform)) for copy in copies],
    }
    beside = {"conversions": parallel, **by_other_means(parallel, world)}
    rows = judged(systems, found, genders)
    parallel_rows = judged(beside, {"readings": against_readings(sources)}, genders)
    ours = rows["conversions"]
    results = {
        "command": command,
        **describe_environment(),
        "model": describe_model(codec, path, read_metrics(path / METRICS)),
        "threshold": THRESHOLD,
        "missing": missing,
        "sources": {name: count_sources(group) for name, group in {"all": ours, **groups(ours)}.items()},
        "systems": {name: summary(own) for name, own in rows.items()},
        "groups": {name: summary(group) for name, group in groups(ours).items()},
        "targets": {target: summary(group) for target, group in by_target(ours).items()},
        "parallel": {name: summary(own) for name, own in parallel_rows.items()},
        "samples": rows,
        "parallel_samples": parallel_rows,
    }
    with atomic_write(folder / f"{NAME}.json") as file:
        json.dump(results, file, indent=1, ensure_ascii=False, allow_nan=False)
        file.write("\n")
    with atomic_write(folder / f"{NAME}.md") as file:
        file.write(render(results))


def read_excerpts(sources: Speech, known: Collection[str]) -> dict[str, Excerpt]:
    """The utterances of `sources`, whole, by name; `known` are the speakers that the model has seen."""
    utt2spk, texts = sources.data.utt2spk, sources.data.texts
    return {
        id: Excerpt(id, utt2spk[id], waveform, texts.get(id), whole=True, seen=utt2spk[id] in known)
        for id, waveform in sources.read(sources.data.utterances)
    }


def read_samples(folder: Path, trials: str, excerpts: Mapping[str, Excerpt], sample_rate: int) -> list[Sample]:
    """What was made of the trials in the list of that name in `folder`."""
    samples = []
    for utterance, target in read_trials(folder / trials):
        source = excerpts[utterance]
        wavs = folder / "wav" / (OWN_VOICE if target == source.speaker else target)
        # The last unit speaks past the end.
        waveform = audio.read(wavs / f"{utterance}.wav", sample_rate)[: len(source.waveform)]
        samples.append(Sample(source, target, waveform))
    return samples


def judged(
    systems: Mapping[str, Sequence[Sample]], judges: Mapping[str, Judge], genders: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """What the judges say of each sample of each system."""
    rows = {name: [describe(sample, genders) for sample in samples] for name, samples in systems.items()}
    everything = [pair for name in systems for pair in zip(rows[name], systems[name], strict=True)]
    for title, judge in judges.items():
        for row, sample in progress(everything, title, unit="utt"):
            row |= judge(sample) or {}
    return rows


def describe(sample: Sample, genders: Mapping[str, str]) -> dict[str, Any]:
    """Whose words and whose voice a sample is."""
    own, target = genders.get(sample.source.speaker), genders.get(sample.speaker)
    return {
        "utterance": sample.source.utterance,
        "source": sample.source.speaker,
        "target": sample.speaker,
        "seen": sample.source.seen,
        "same_gender": own == target if own and target else None,
    }


def main() -> None:
    """Judge conversions, and print the table."""
    parser = argparse.ArgumentParser("python -m vqspeech.evaluation.conversions", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--train-data", type=Path, required=True, help="speech by which speakers are known")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--judges", type=Path, help="folder of judges' weights")
    parser.add_argument("--command", required=True, help="what remakes the table, for its first line")
    try:
        score(**vars(parser.parse_args()))
    except VqspeechError as error:
        sys.exit(f"conversions: {error}")


if __name__ == "__main__":
    main()
