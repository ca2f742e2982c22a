"""vqspeech-report: an experiment on one page."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.errors import VqspeechError


def report(model: Path, *, out: Path | None = None, force: bool = False) -> None:
    """Show an experiment on one page: measures, curves, units and audio, in one HTML file that needs nothing else.

    The page shows what the recipe has left in the model folder: config.json, train/, results/, units/test, wav/, and in
    samples/ what vqspeech-sample wrote there. What is not there is left out, with a sentence.

    Args:
        model: model folder
        out: the page (default: report.html in the model folder)
        force: replace a file that is there

    Example:
        vqspeech-report exp/vctk_base
        vqspeech-report exp/vctk_base --out page.html
    """
    path = out or model / "report.html"
    if path.exists() and not force:
        raise VqspeechError(f"{path} is there already; replace it with -f, or name another file with --out")
    from vqspeech.report.page import write_report

    write_report(model, path)
    print(path)


def main() -> None:
    """Run the command."""
    run(report)


if __name__ == "__main__":
    main()
