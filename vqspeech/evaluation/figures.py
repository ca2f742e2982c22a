"""Spectrograms of an utterance and of what the model made of it, one above the other, and its units."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.evaluation.nearest import DYNAMIC_RANGE_DB
from vqspeech.evaluation.samples import Sample
from vqspeech.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

# Narrow enough in frequency to see harmonics, and in time to see voiced periods blur when they are not there.
WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.004
PICTURES = 2


def draw_samples(samples: Sequence[Sample], sample_rate: int, folder: Path) -> list[Path]:
    """Draw source, copy and conversion of the first two sources that have both; returns the pictures' paths."""
    copies = {sample.source.utterance: sample for sample in samples if sample.is_copy}
    conversions = [sample for sample in samples if not sample.is_copy and sample.source.utterance in copies]
    paths = []
    for sample in conversions[:PICTURES]:
        source = sample.source
        titles = {
            f"{source.utterance}, as {source.speaker} said it": source.waveform,
            "copy-synthesis from its codes": copies[source.utterance].waveform,
            f"the same codes in the voice of {sample.speaker}": sample.waveform,
        }
        paths.append(folder / f"{sample.name}.png")
        draw_spectrograms(paths[-1], titles, sample_rate)
    return paths


def draw_spectrograms(path: Path, waveforms: Mapping[str, np.ndarray], sample_rate: int) -> None:
    """Draw the mel spectrogram of each waveform [T] under its title into one picture (.png, .svg or .pdf)."""
    # Without pyplot there is no window system to look for and no figure that stays in memory.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.4 * len(waveforms)), layout="constrained")
    rows = figure.subplots(len(waveforms), sharex=True, squeeze=False)[:, 0]
    for axes, (title, waveform) in zip(rows, waveforms.items(), strict=True):
        picture = draw_spectrogram(axes, waveform, sample_rate)
        axes.set_title(title, loc="left", fontsize="medium")
        axes.label_outer()
    figure.colorbar(picture, ax=rows, label="dB under the loudest point", shrink=0.6)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_spectrogram(axes: "Axes", waveform: np.ndarray, sample_rate: int) -> "QuadMesh":
    """Draw the mel spectrogram of a waveform [T] into a picture, in decibels under its loudest point."""
    from librosa import power_to_db
    from librosa.display import specshow
    from librosa.feature import melspectrogram

    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    bands = melspectrogram(y=waveform, sr=sample_rate, n_fft=2 * window, win_length=window, hop_length=hop)
    decibels = power_to_db(bands, ref=np.max, top_db=DYNAMIC_RANGE_DB)
    scales = {"sr": sample_rate, "hop_length": hop, "x_axis": "time", "y_axis": "mel"}
    # As a grid of pixels: in a vector format each point would be a shape of its own.
    return specshow(decibels, **scales, cmap="magma", ax=axes, rasterized=True)


def draw_units(axes: "Axes", units: np.ndarray, seconds: float, numbered: int = 1) -> None:
    """Draw units [N], each of so many seconds, into a picture: a stretch of colour for each run of one code.

    Runs of at least `numbered` frames bear the number of their code.
    """
    from matplotlib import colormaps

    edges = np.flatnonzero(np.diff(units, prepend=-1, append=-1))
    codes, spans = units[edges[:-1]], list(pairwise(edges))
    # Steps of the golden ratio keep the colours of neighbours apart.
    hues = colormaps["hsv"](codes * 0.618034 % 1.0)[:, :3]
    stretches = [(start * seconds, (end - start) * seconds) for start, end in spans]
    axes.broken_barh(stretches, (0, 1), facecolors=1 - 0.45 * (1 - hues), linewidth=0)
    for code, (start, end) in zip(codes, spans, strict=True):
        if end - start < numbered:
            continue
        axes.text(
            (start + end) / 2 * seconds,
            0.5,
            str(code),
            rotation=90,
            fontsize=7,
            color="#111111",
            horizontalalignment="center",
            verticalalignment="center",
        )
    axes.set(yticks=[], ylabel="unit", xlabel="seconds", ylim=(0, 1))
