"""The page: its sections in order, in one file that asks nothing of the network."""

from importlib.resources import files
from pathlib import Path

from vqspeech import __version__
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.report import markup
from vqspeech.report.experiment import Experiment
from vqspeech.report.sound import dreams, listening
from vqspeech.report.tables import configuration, results
from vqspeech.report.training import bits, training
from vqspeech.report.units import code_use, phone_map, spectrogram

SECTIONS = {
    "results": ("Results", (results,)),
    "listen": ("Listen", (listening,)),
    "dreams": ("Samples of the prior", (dreams,)),
    "training": ("Training", (training, bits)),
    "units": ("Units", (spectrogram, code_use, phone_map)),
    "configuration": ("Configuration", (configuration,)),
}
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"
"""What a browser has to keep to: nothing but what is in the file."""


def write_report(folder: Path, out: Path) -> None:
    """Write the page of the model folder `folder` to the file `out`; parts that the folder lacks become a sentence.

    Raises VqspeechError for a folder that is no model's and for files in it that are damaged.
    """
    page = render(Experiment(folder))
    with atomic_write(out) as file:
        file.write(page)


def render(experiment: Experiment) -> str:
    """The page as HTML. Errors as in `write_report`."""
    title = experiment.folder.resolve().name
    try:
        head = _summary(experiment)
        body = "\n".join(
            markup.section(id, heading, *(part(experiment) for part in parts))
            for id, (heading, parts) in SECTIONS.items()
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise VqspeechError(
            f"{experiment.folder}: config.json, train/metrics.jsonl, results/results.json or units/test is damaged, "
            f"or of a later version of vqspeech: {reason}"
        ) from error
    links = "".join(f'<li><a href="#{id}">{markup.escape(heading)}</a></li>' for id, (heading, _) in SECTIONS.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="vqspeech {__version__}">
<link rel="icon" href="data:,">
<title>{markup.escape(title)}</title>
<style>
{files("vqspeech.report").joinpath("style.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>{markup.escape(title)}</h1>
{head}
<nav aria-label="Sections"><ul>{links}</ul></nav>
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _summary(experiment: Experiment) -> str:
    config = experiment.config
    words = f"A vqspeech model with {config['model']['bottleneck']['name']} between encoder and decoder"
    if model := experiment.results.get("model"):
        words += f": {model['parameters'] / 1e6:.2f} M parameters, {model['codes']} codes at {model['rate']:g} Hz"
    words += f", {len(config['speakers'])} speakers"
    if experiment.log:
        last = experiment.log[-1]
        words += f", trained for {last['step']} steps in {last['minutes']:.1f} minutes"
    return markup.paragraph(f"{words}.")
