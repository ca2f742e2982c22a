"""vqspeech-units: audio becomes discrete units."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model


def units(*, data: Path, out: Path, model: Path | None = None, skip_bad: bool = False, force: bool = False) -> None:
    """Write the units of every utterance of a data directory.

    units.txt has a line an utterance: its id, then one integer from 0 to K-1 for each frame. units.json tells
    K, the samples a frame, the sample rate and the model; utt2spk who spoke.

    Args:
        data: Kaldi data directory
        out: folder for units.txt, units.json and utt2spk
        model: model folder (default: $VQSPEECH_MODEL)
        skip_bad: carry on past unreadable utterances and name them
        force: replace units of another model or of other data

    Example:
        vqspeech-units --model exp/vctk_base --data data/vctk/test --out exp/vctk_base/units/test
    """
    folder = find_model(model)
    import vqspeech
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.extract import extract_units

    extract_units(vqspeech.load(folder), read_data_dir(data), out, skip_bad=skip_bad, force=force)
    print(out / "units.txt")


def main() -> None:
    """Run the command."""
    run(units)


if __name__ == "__main__":
    main()
