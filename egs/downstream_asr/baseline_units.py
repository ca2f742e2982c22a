#!/usr/bin/env python3
"""Write units dirs to compare others with, as many units at the same rate for the same utterances.

`mfcc`: k-means clusters of MFCC-39, fitted to training speech (Hsu et al. 2021). `random`: drawn evenly.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.evaluation.mfcc_kmeans import MfccKMeans
from vqspeech.evaluation.speech import Speech
from vqspeech.progress import progress
from vqspeech.units.store import Units, read_units, write_units

FITTED_TO = 500
"""Utterances, the first by hash."""
SEED = 0


def mfcc_rows(data: Path, splits: dict[str, Units]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield the clusters of every utterance of each split."""
    info = splits["train"].info
    rate = info["sample_rate"]
    train = Speech(data / "train", rate)
    chosen = train.first(FITTED_TO, among=splits["train"].units)
    waveforms = (waveform for _, waveform in train.read(progress(chosen, "fit MFCC k-means", unit="utt")))
    clusters = MfccKMeans(info["codes"], rate, info["hop"], SEED).fit(waveforms)
    for split, units in splits.items():
        read = Speech(data / split, rate).read(progress(units.units, f"MFCC k-means, {split}", unit="utt"))
        yield split, {id: clusters.encode(waveform) for id, waveform in read}


def random_rows(splits: dict[str, Units]) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield as many random units for every utterance of each split."""
    randomness = np.random.default_rng(SEED)
    for split, units in splits.items():
        yield split, {id: randomness.integers(units.info["codes"], size=len(row)) for id, row in units.units.items()}


def write(kind: str, data: Path, units: Path, out: Path, names: Iterable[str]) -> None:
    """Write a units dir for each split; raises VqspeechError for units whose utterances the data dirs lack."""
    splits = {name: read_units(units / name) for name in names}
    for name, split in splits.items():
        if missing := split.units.keys() - Speech(data / name, split.info["sample_rate"]).data.wavs.keys():
            raise VqspeechError(f"{data / name}: lacks utterance {min(missing)}, which {units / name} has")
    for name, rows in random_rows(splits) if kind == "random" else mfcc_rows(data, splits):
        kept = {key: splits[name].info[key] for key in ("codes", "hop", "sample_rate", "rate")}
        write_units(out / name, {**kept, "model": kind, "data": str(data / name)}, rows, splits[name].speakers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("kind", choices=("mfcc", "random"))
    parser.add_argument("data", type=Path, help="folder with a data directory for each split, train among them")
    parser.add_argument("units", type=Path, help="folder with a units dir for each split")
    parser.add_argument("out", type=Path, help="folder to write such a one in")
    parser.add_argument("splits", nargs="+", help="such as train test")
    options = parser.parse_args()
    try:
        write(options.kind, options.data, options.units, options.out, options.splits)
    except VqspeechError as error:
        sys.exit(f"baseline_units: error: {error}")


if __name__ == "__main__":
    main()
