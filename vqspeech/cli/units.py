"""vqspeech-units: audio becomes discrete units."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.errors import UsageError


def units(
    *,
    data: Path,
    out: Path,
    model: Path | None = None,
    nj: int = 1,
    skip_bad: bool = False,
    force: bool = False,
) -> None:
    """Write the units of every utterance of a data directory.

    units.txt has a line an utterance: its id, then one integer from 0 to K-1 for each frame. units.json tells
    K, the samples a frame, the sample rate and the model; utt2spk who spoke. All three are the same whatever --nj.
    After an interruption the same command goes on where it was: until the end, what is encoded lies beside OUT, in
    .OUT.shards.

    Args:
        data: Kaldi data directory
        out: folder for units.txt, units.json and utt2spk
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        nj: processes at once, at most, on one core each; a single one uses all cores as well as it can, and is all that
            some minutes of speech need
        skip_bad: carry on past unreadable utterances and name them
        force: replace units of another model or of other data

    Example:
        vqspeech-units --model exp/vctk_base --data data/vctk/test --out exp/vctk_base/units/test
        vqspeech-units --model exp/vctk_base --data data/vctk/train --out exp/vctk_base/units/train --nj 8
    """
    folder = find_model(model)
    if nj < 1:
        raise UsageError(f"--nj {nj}: give at least one process")
    import vqspeech
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.extract import extract_units

    extract_units(vqspeech.load(folder), read_data_dir(data), out, nj=nj, skip_bad=skip_bad, force=force)
    print(out / "units.txt")


def main() -> None:
    """Run the command."""
    run(units)


if __name__ == "__main__":
    main()
