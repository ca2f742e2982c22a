"""vqspeech-shard: the audio of a data directory moves into tar shards."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.lock import locked


def shard(*, data: Path, dump: Path, out: Path) -> None:
    """Copy the recordings of a prepared data directory into tar archives of about 1 GiB, to train from.

    A file system holds a few large files more easily than a million small ones. vqspeech-train and the other commands
    take the new data directory as they take the old one: its wav.scp tells where in which archive a recording begins.
    Training draws the same crops from either. After an interruption the same command goes on behind the last whole
    archive.

    Args:
        data: Kaldi data directory, as vqspeech-prepare writes it
        dump: folder for the archives, 000000.tar and so on
        out: folder for the new data directory

    Example:
        vqspeech-shard --data data/vctk/train --dump dump/vctk_shards/train --out data/vctk_shards/train
    """
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.data.shards import write_shards

    with locked(dump):
        write_shards(read_data_dir(data), dump, out)
    print(out)


def main() -> None:
    """Run the command."""
    run(shard)


if __name__ == "__main__":
    main()
