"""vqspeech-prepare: a corpus becomes training audio and Kaldi data directories."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.errors import UsageError
from vqspeech.lock import locked
from vqspeech.parallel import Part


def prepare(
    *,
    data: Path,
    dump: Path,
    corpus: Path | None = None,
    miniature: bool = False,
    download: Path | None = None,
    download_sha256: str | None = None,
    mic: str = "mic1",
    labels: Path | None = None,
    nj: int = 1,
    part: str | None = None,
    skip_bad: bool = False,
    allow_pipes: bool = False,
) -> None:
    """Normalise a corpus and split it into training, development and test sets.

    Takes VCTK 0.92 and 0.80, LibriSpeech, a folder with a manifest.tsv, a Kaldi data directory or a folder of
    speaker folders, told apart by what is in them. Audio comes out as 16 kHz mono FLAC, levelled and trimmed;
    utterances that are prepared already are kept.

    Args:
        data: folder for one Kaldi data directory a split
        dump: folder for the audio
        corpus: the corpus to read
        miniature: make the corpus of synthetic voices, in --corpus (default: beside --dump), and read it
        download: fetch VCTK 0.92 (11 GB) into this folder, going on where an earlier try stopped, and read it
        download_sha256: refuse a downloaded archive of another SHA-256 (default: the known one)
        mic: which of VCTK 0.92's two microphones, mic1 or mic2
        labels: folder of phone labels, <utterance>.lab, .phn or .TextGrid, where the corpus has none of its own
        nj: processes at once
        part: J/N, write the audio of the J-th of N parts of --corpus alone; when all have been written the same command
            without it does the rest
        skip_bad: carry on past bad utterances and count them in splits.json
        allow_pipes: run the shell commands that a wav.scp may hold; only for one that you trust

    Example:
        vqspeech-prepare --miniature --data data/miniature --dump dump/miniature
        vqspeech-prepare --corpus VCTK-Corpus-0.92 --data data/vctk --dump dump/vctk --nj 8
    """
    if sum([corpus is not None and not miniature, miniature, download is not None]) != 1:
        raise UsageError("give one of --corpus DIR, --miniature and --download DIR")
    share = None if part is None else Part.parse(part)
    if share is not None and (miniature or download is not None):
        raise UsageError("--part is of a --corpus that is there already")
    from vqspeech.data.corpus import read_corpus
    from vqspeech.data.prepare import prepare as prepare_corpus
    from vqspeech.data.prepare import prepare_part

    if miniature:
        from vqspeech.data.miniature import make_miniature

        corpus = corpus or dump.with_name(f"{dump.name}-corpus")
        if not corpus.exists():
            make_miniature(corpus, nj=nj)
    elif download:
        from vqspeech.data.download import download_vctk

        corpus = download_vctk(download, sha256=download_sha256)
    utterances = read_corpus(corpus, mic=mic, labels=labels)
    if share is not None:
        with locked(dump, shared=True):
            prepare_part(utterances, share, dump, skip_bad=skip_bad, allow_pipes=allow_pipes)
        return
    with locked(dump):
        prepare_corpus(utterances, data, dump, nj=nj, skip_bad=skip_bad, allow_pipes=allow_pipes)
    print(data)


def main() -> None:
    """Run the command."""
    run(prepare)


if __name__ == "__main__":
    main()
