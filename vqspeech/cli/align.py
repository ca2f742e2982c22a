"""vqspeech-align: texts and audio become phone labels."""

from pathlib import Path

from vqspeech.cli.harness import run


def align(*, data: Path, out: Path, force: bool = False) -> None:
    """Find out when each phone is said, by forced alignment of the texts with the audio (English, pocketsphinx).

    Writes OUT/<utterance>.phn, a line "start end phone" in seconds for each phone, and names the files in the data
    directory's labels.scp, where vqspeech-evaluate looks for them. Times are those of the recording before silence was
    trimmed, so the folder also serves vqspeech-prepare --labels. Utterances whose words have no pronunciation, or whose
    audio does not fit the text, are left out and named. What is aligned already is kept.

    Args:
        data: Kaldi data directory with texts
        out: folder for the labels
        force: align anew what is aligned, and replace a labels.scp

    Example:
        vqspeech-align --data data/vctk/test --out exp/labels
    """
    from vqspeech.data.align import align_data_dir
    from vqspeech.data.kaldi import read_data_dir

    align_data_dir(read_data_dir(data), out, force=force)
    print(out)


def main() -> None:
    """Run the command."""
    run(align)


if __name__ == "__main__":
    main()
