"""How training went: its loss, and what the codes are worth to the decoder."""

from matplotlib import rc_context
from matplotlib.ticker import MaxNLocator

from vqspeech.report import markup
from vqspeech.report.experiment import Experiment
from vqspeech.report.picture import LINES, STYLE, new_figure, to_svg

CODES = {"true": "its own codes", "shuffled": "another utterance's codes", "zeroed": "no codes"}


def training(experiment: Experiment) -> str:
    """The curves of training, or why there are none."""
    if not experiment.log:
        return markup.absent("There are no curves: the folder has no train/metrics.jsonl.")
    curves = {
        "loss": (
            "Bits per sample on training crops and on dev speech, by step.",
            {"training": _curve(experiment, "train", "bits"), "dev": _curve(experiment, "dev", "bits_true")},
        ),
        "codes-worth": (
            "Bits per sample of dev speech given its own codes, another utterance's and none, by step. "
            "The wider apart, the more the decoder hears in the codes.",
            {label: _curve(experiment, "dev", f"bits_{name}") for name, label in CODES.items()},
        ),
    }
    return f'<div class="pair">{"".join(_plot(name, *curve) for name, curve in curves.items())}</div>'


def bits(experiment: Experiment) -> str:
    """Bits per sample of held-out speech with its own codes, shuffled ones and none."""
    measured = experiment.results.get("bits", {"missing": "vqspeech-evaluate did not measure them"})
    if "missing" in measured:
        return markup.absent(f"There are no bits per sample of held-out speech: {measured['missing']}.")
    rows = [(label, f"{measured[name]:.3f}") for name, label in CODES.items()]
    return markup.table("Bits per sample of held-out speech", ("given", "bits"), rows)


def _curve(experiment: Experiment, split: str, measure: str) -> list[tuple[int, float]]:
    return [(line["step"], line[measure]) for line in experiment.log if line["split"] == split and measure in line]


def _plot(name: str, caption: str, curves: dict[str, list[tuple[int, float]]]) -> str:
    curves = {label: points for label, points in curves.items() if points}
    if not curves:
        return markup.absent(f"train/metrics.jsonl has nothing of this: {caption}")
    with rc_context(STYLE):
        figure = new_figure(5.2, 3.4)
        axes = figure.subplots()
        for (label, points), colour in zip(curves.items(), LINES, strict=False):
            axes.plot(*zip(*points, strict=True), label=label, color=colour, marker="." if len(points) < 40 else "")
        axes.set_xlabel("step")
        axes.set_ylabel("bits per sample")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.grid(color=LINES[0], alpha=0.15)
        figure.legend(loc="outside upper left", ncols=len(curves), fontsize=9, columnspacing=1.2, handlelength=1.2)
        ends = ", ".join(f"{label} {points[-1][1]:.2f}" for label, points in curves.items())
        return markup.figure(to_svg(figure, name, f"{caption} At the end: {ends}."), caption)
