"""vqspeech-import: units back from the formats of other toolkits."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.errors import VqspeechError


def import_(*, source: Path, out: Path, force: bool = False) -> None:
    """Make a units folder again of what vqspeech-export wrote, whatever its format.

    Args:
        source: folder to read
        out: folder for units.txt, units.json and, where speakers are known, utt2spk
        force: replace units in --out

    Example:
        vqspeech-import --source exported/test --out units
    """
    from vqspeech.units.store import INFO, SPEAKERS, UNITS, write_units
    from vqspeech.units.transfer import import_units

    if not force and any((out / name).exists() for name in (UNITS, INFO, SPEAKERS)):
        raise VqspeechError(f"{out}: holds units already; replace them with -f, or name another folder with --out")
    found = import_units(source)
    write_units(out, found.info, found.units, found.speakers)
    print(out / UNITS)


def main() -> None:
    """Run the command."""
    run(import_)


if __name__ == "__main__":
    main()
