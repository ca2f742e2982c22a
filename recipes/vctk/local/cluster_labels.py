#!/usr/bin/env python3
"""Label speech with clusters of its own MFCCs, in place of phones: cluster_labels.py OUT data/vctk/train data/vctk/dev.

The clusters are fitted to the first data directory. OUT/train, OUT/dev are data directories of the same recordings,
whose labels.scp names files in OUT/labels. By --training.phone_weight and --training.phones_alone encoder and codes
learn to tell the clusters from context, as HuBERT does at first (Hsu et al. 2021, section II-A). No text is needed.
MFCCs have zero mean and unit variance over each utterance, which takes out much of the speaker.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from vqspeech.data.kaldi import read_data_dir, write_data_dir
from vqspeech.errors import VqspeechError
from vqspeech.evaluation.mfcc import mfcc39
from vqspeech.evaluation.speech import Speech
from vqspeech.files import atomic_write
from vqspeech.progress import progress
from vqspeech.units.tokens import merged

RATE = 16000
HOP = 160
FITTED_TO = 1000
"""Utterances, the first by hash."""


def features(data: Path, utterances: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """MFCC-39 of each utterance, [frames, 39], normalised over it."""
    for id, waveform in Speech(data, RATE).read(progress(utterances, f"MFCC, {data}", unit="utt")):
        frames = mfcc39(waveform, RATE, HOP)
        yield id, (frames - frames.mean(0)) / np.maximum(frames.std(0), 1e-3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+", help="data directories, the one to fit to first")
    parser.add_argument("--codes", type=int, default=200, help="clusters (default: %(default)s)")
    options = parser.parse_args()
    try:
        label(options.out, options.data, options.codes)
    except VqspeechError as error:
        sys.exit(f"cluster_labels: error: {error}")


def label(out: Path, folders: list[Path], codes: int) -> None:
    """Write labels of 10 ms frames, and data dirs that name them."""
    chosen = Speech(folders[0], RATE).first(FITTED_TO)
    frames = np.concatenate([rows for _, rows in features(folders[0], chosen)])
    clusters = MiniBatchKMeans(codes, batch_size=4096, n_init=3, random_state=0).fit(frames)
    for folder in folders:
        data, labels = read_data_dir(folder), {}
        for id, rows in features(folder, data.utterances):
            labels[id] = (out / "labels" / f"{id}.phn").absolute()
            end = data.utt2offset.get(id, 0.0)
            with atomic_write(labels[id]) as file:
                runs = merged(clusters.predict(rows))
                for code, count in zip(runs.units, runs.durations, strict=True):
                    start, end = end, end + count * HOP / RATE
                    file.write(f"{start:.4f} {end:.4f} c{code}\n")
        write_data_dir(replace(data, path=out / folder.name, labels=labels))


if __name__ == "__main__":
    main()
