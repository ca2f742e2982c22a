"""Bottlenecks side by side: `python -m vqspeech.evaluation.comparison EXPDIR [--plot FILE]`.

Takes the runs that `recipes/vctk/local/compare_bottlenecks.sh` makes, `EXPDIR/<name>-<seed>`, each a model folder with
`results/results.json`.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from vqspeech.evaluation.likelihood import METRICS
from vqspeech.training.log import read_metrics

COLUMNS = (
    "bottleneck",
    "bits/sample",
    "+ uniform",
    "+ histogram",
    "+ autoregressive",
    "code bits/s",
    "codes in use",
    "perplexity",
    "phone map",
    "steps",
    "s/step",
)
NOTE = """
Where the posterior is more than one point (`gumbel`, `nvil`, `vimco`, `vae`), bits per sample are given drawn codes and
bits per second are the divergence from the prior given beforehand; of the others these are the entropy of the codes on
test speech. `+ uniform` adds what the prior given beforehand takes, which is normal for `vae`. Priors are learnt of the
likeliest codes, so they are left out where codes are drawn. Codes in use, perplexity and phone map are of the likeliest
codes. In brackets: how far the seeds lie apart.
"""


@dataclass(frozen=True)
class Run:
    """What one bottleneck came to with one seed; None where it has no such thing."""

    name: str
    bits: float
    """Per sample, of the speech given the codes."""
    bound: dict[str, float]
    """The same with what the codes cost, by the column of the prior."""
    rate: float | None
    """Bits per second of the codes: their entropy, or the divergence from the prior."""
    in_use: int | None
    perplexity: float | None
    phones: float | None
    """Share of the frames."""
    steps: int
    seconds_per_step: float
    """Median over the training log."""
    curve: list[tuple[int, float]]
    """Steps and bits per sample on dev speech."""


def read_run(folder: Path) -> Run:
    """Gather one run from its files."""
    results = json.loads((folder / "results" / "results.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    log = read_metrics(folder / METRICS)
    dev = [line for line in log if line["split"] == "dev"]
    speeds = [line["samples_per_second"] for line in log if line["split"] == "train"]
    training = config["notes"]["training"]
    bits, codes, found = results["bits"]["true"], results["codes"], results["bound"]
    bound, rate = {}, None
    if "missing" not in found:
        bits = found["given_codes"]
        # That of a Gaussian posterior is given beforehand, as the uniform one is.
        bound = {"uniform" if prior == "normal" else prior: total for prior, total in found["bound"].items()}
        if found["drawn"]:
            bound = {"uniform": bound["uniform"]}
            rate = next(iter(found["codes"].values())) * config["model"]["sample_rate"]
    if rate is None and "missing" not in codes:
        rate = codes["bitrate"]["entropy"]
    return Run(
        name=config["model"]["bottleneck"]["name"],
        bits=bits,
        bound=bound,
        rate=rate,
        in_use=codes.get("in_use"),
        perplexity=codes.get("perplexity"),
        phones=results["phones"].get("accuracy"),
        steps=dev[-1]["step"],
        seconds_per_step=training["batch_size"] * training["crop"] / median(speeds),
        curve=[(line["step"], line["bits_true"]) for line in dev],
    )


def table(runs: Sequence[Run]) -> str:
    """Markdown, a line for each bottleneck with the mean over its seeds and, in brackets, how far they lie apart."""
    by_name: defaultdict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_name[run.name].append(run)
    rows = [COLUMNS, ("---",) * len(COLUMNS), *(tuple(_row(name, own)) for name, own in by_name.items())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(name: str, runs: Sequence[Run]) -> Iterator[str]:
    yield f"`{name}`"
    yield _spread([run.bits for run in runs], 2)
    for prior in ("uniform", "histogram", "autoregressive"):
        yield _spread([run.bound.get(prior) for run in runs], 2)
    yield _spread([run.rate for run in runs], 0)
    yield _spread([run.in_use for run in runs], 0)
    yield _spread([run.perplexity for run in runs], 0)
    yield _spread([None if run.phones is None else 100 * run.phones for run in runs], 1, " %")
    yield _spread([run.steps for run in runs], 0)
    yield _spread([run.seconds_per_step for run in runs], 3)


def _spread(values: Sequence[float | None], digits: int, unit: str = "") -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    apart = f" ({max(known) - min(known):.{digits}f}{unit})" if len(known) > 1 else ""
    return f"{mean(known):.{digits}f}{unit}{apart}"


def plot(runs: Sequence[Run], path: Path) -> None:
    """Bits per sample on dev speech over steps, a line for each run and a colour for each bottleneck."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot(xlabel="steps", ylabel="bits per sample of dev speech, likeliest codes")
    colours: dict[str, int] = {}
    for run in runs:
        label = None if run.name in colours else run.name
        colour = colormaps["tab20"](colours.setdefault(run.name, len(colours)))
        steps, bits = zip(*run.curve, strict=True)
        axes.plot(steps, bits, color=colour, label=label)
    # The first evaluation, before much is learnt, would hide the rest.
    shown = [bits for run in runs for _, bits in run.curve[1:] or run.curve]
    axes.set_ylim(min(shown) - 0.05, max(shown) + 0.05)
    axes.legend(ncols=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Print the table, draw the plot."""
    parser = argparse.ArgumentParser("python -m vqspeech.evaluation.comparison", description=__doc__)
    parser.add_argument("expdir", type=Path)
    parser.add_argument("--plot", type=Path, help="where to draw bits per sample over steps")
    arguments = parser.parse_args()
    folders = [path.parent.parent for path in sorted(arguments.expdir.glob("*/results/results.json"))]
    runs = sorted((read_run(folder) for folder in folders), key=lambda run: min(run.bound.values(), default=run.bits))
    print(table(runs) + NOTE, end="")
    if arguments.plot and runs:
        plot(runs, arguments.plot)


if __name__ == "__main__":
    main()
