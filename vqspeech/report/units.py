"""What the units are: how often each is used, where they fall in speech, and on which phones."""

import numpy as np
from matplotlib import rc_context

from vqspeech import audio
from vqspeech.evaluation.codes import code_usage
from vqspeech.evaluation.figures import draw_spectrogram, draw_units
from vqspeech.evaluation.phone_map import TABLE, read_counts
from vqspeech.report import markup
from vqspeech.report.experiment import Experiment
from vqspeech.report.picture import LINES, STYLE, new_figure, to_svg

FRAMES_SHOWN = 100
"""As many as leave room for a number on each."""


def code_use(experiment: Experiment) -> str:
    """How often each code occurs in the test speech, the commonest first."""
    units = experiment.units
    if units is None or not units.units:
        return markup.absent("There is no picture of how codes are used: the folder has no units/test.")
    codes = units.info["codes"]
    indices = np.concatenate(list(units.units.values()))
    usage = code_usage(indices, codes)
    shares = 100 * np.sort(np.bincount(indices, minlength=codes))[::-1] / max(1, len(indices))
    caption = (
        f"Use of the {codes} codes in the {len(units.units)} test utterances, the commonest first: {usage.in_use} "
        f"occur, with a perplexity of {usage.perplexity:.0f}. Dashed: all as often."
    )
    with rc_context(STYLE):
        figure = new_figure(9, 2.6)
        axes = figure.subplots()
        axes.stairs(shares, np.arange(codes + 1), fill=True, color=LINES[0])
        axes.axhline(100 / codes, color=LINES[1], linestyle="--")
        axes.set(xlim=(0, codes), ylim=0, xlabel="codes, by how often they occur", ylabel="% of frames")
        return markup.figure(to_svg(figure, "code-use", caption), caption, wide=True)


def spectrogram(experiment: Experiment) -> str:
    """A spectrogram of held-out speech with the units under it."""
    units = experiment.units
    sources = experiment.results_folder / "wav" / "source"
    heard = [sample["source"] for sample in experiment.results.get("samples", [])]
    chosen = [id for id in heard if units and id in units.units and (sources / f"{id}.wav").is_file()]
    if not chosen:
        return markup.absent("There is no spectrogram with its units: that takes results/wav and units/test.")
    hop, rate = units.info["hop"], units.info["sample_rate"]
    waveform = audio.read(sources / f"{chosen[0]}.wav", rate)[: FRAMES_SHOWN * hop]
    row = units.units[chosen[0]][: -(-len(waveform) // hop)]
    caption = (
        f"The first {len(waveform) / rate:.2f} s of {chosen[0]} and its units, {rate / hop:g} a second. "
        "A stretch of one colour is a run of one code, whose number it bears; colours have no further meaning."
    )
    with rc_context(STYLE):
        figure = new_figure(11, 3.6)
        upper, lower = figure.subplots(2, sharex=True, height_ratios=(4, 1))
        draw_spectrogram(upper, waveform, rate)
        upper.set(xlabel="", ylabel="Hz")
        draw_units(lower, row, hop / rate)
        upper.set_xlim(0, len(waveform) / rate)
        return markup.figure(to_svg(figure, "spectrogram", caption), caption, wide=True)


def phone_map(experiment: Experiment) -> str:
    """How the frames of each code spread over the phones."""
    measured = experiment.results.get("map", {"missing": "vqspeech-evaluate did not measure it"})
    if "missing" in measured:
        return markup.absent(f"There is no map of phones by codes: {measured['missing']}.")
    codes, phones, counts = read_counts(experiment.results_folder / TABLE)
    shares = counts / counts.sum(1, keepdims=True)
    # Phones by how much there is of them, codes by the phone that they fall on most: the likeness to a staircase tells
    # how well codes know phones.
    columns = np.argsort(-counts.sum(0), kind="stable")
    shares = shares[:, columns]
    rows = np.lexsort((-shares.max(1), shares.argmax(1)))
    best = shares.max(1) @ counts.sum(1) / counts.sum()
    caption = (
        f"Of the frames of each code, the share on each phone; {counts.sum()} frames of held-out speech, silence left "
        f"out. The {len(codes)} codes stand in the order of the phone that they fall on most; {100 * best:.0f} % of "
        "all frames are of that phone."
    )
    with rc_context(STYLE):
        figure = new_figure(9, 1.2 + 0.17 * len(phones))
        axes = figure.subplots()
        picture = axes.imshow(
            shares[rows].T, aspect="auto", interpolation="nearest", cmap="magma", vmin=0, vmax=shares.max()
        )
        axes.set_yticks(range(len(phones)), phones[columns], fontsize=8, parse_math=False)
        axes.set(xlabel="codes, ordered by their phone", ylabel="phones, the commonest first", xticks=[])
        figure.colorbar(picture, ax=axes, label="share of the code's frames", shrink=0.6)
        return markup.figure(to_svg(figure, "phone-map", caption), caption, wide=True)
