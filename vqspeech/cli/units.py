"""vqspeech-units: audio becomes discrete units."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model
from vqspeech.errors import UsageError
from vqspeech.parallel import Part


def units(
    *,
    data: Path,
    out: Path,
    model: Path | None = None,
    nj: int = 1,
    part: str | None = None,
    skip_bad: bool = False,
    force: bool = False,
) -> None:
    """Write the units of every utterance of a data directory.

    units.txt has a line an utterance: its id, then one integer from 0 to K-1 for each frame. units.json tells
    K, the samples a frame, the sample rate and the model; utt2spk who spoke. All three are the same whatever --nj.
    After an interruption the same command goes on where it was: until the end, what is encoded lies beside OUT, in
    .OUT.shards. There jobs on several machines meet, too, each with its own --part.

    Args:
        data: Kaldi data directory
        out: folder for units.txt, units.json and utt2spk
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        nj: processes at once, at most, on one core each; a single one uses all cores as well as it can, and is all that
            some minutes of speech need
        part: J/N, encode the J-th of N parts alone, on one core; when all have been encoded the same command without it
            joins them
        skip_bad: carry on past unreadable utterances and name them
        force: replace units of another model or of other data

    Example:
        vqspeech-units --model exp/vctk_base --data data/vctk/test --out exp/vctk_base/units/test
        vqspeech-units --model exp/vctk_base --data data/vctk/train --out exp/vctk_base/units/train --nj 8
    """
    folder = find_model(model)
    if nj < 1:
        raise UsageError(f"--nj {nj}: give at least one process")
    share = None if part is None else Part.parse(part)
    import torch

    import vqspeech
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.extract import extract_units

    if share is not None:
        torch.set_num_threads(1)
    extract_units(vqspeech.load(folder), read_data_dir(data), out, nj, share, skip_bad, force)
    if share is None:
        print(out / "units.txt")


def main() -> None:
    """Run the command."""
    run(units)


if __name__ == "__main__":
    main()
