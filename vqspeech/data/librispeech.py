"""LibriSpeech and corpora in its layout: `SUBSET/103/1240/103-1240-0000.flac` and `103-1240.trans.txt`."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from vqspeech.audio import AUDIO_SUFFIXES
from vqspeech.data.utterance import Corpus, Utterance, gender, read_lines, utterance_id
from vqspeech.errors import VqspeechError


def is_librispeech(folder: Path) -> bool:
    """Tell whether `folder` is LibriSpeech, or one of its subsets."""
    return next(_transcripts(folder), None) is not None


def read_librispeech(folder: Path) -> Corpus:
    """Read all subsets in a folder, or a folder that is itself a subset.

    Raises VqspeechError with file and line for a recording that is missing or listed twice.
    """
    genders = _genders(folder)
    found: dict[str, Utterance] = {}
    for path in sorted(_transcripts(folder)):
        speaker = path.parent.parent.name
        recordings = {file.stem: file for file in path.parent.iterdir() if file.suffix in AUDIO_SUFFIXES}
        listed = [(line, f"{path}:{number}") for number, line in enumerate(read_lines(path), start=1) if line.strip()]
        listed += [(name, "") for name in sorted(recordings.keys() - {line.split()[0] for line, _ in listed})]
        for line, where in listed:
            name, *words = line.split()
            id = utterance_id(speaker, name)
            if id in found:
                raise VqspeechError(f"{where}: utterance {id} was already in {found[id].listed}")
            audio = recordings.get(name, path.parent / f"{name}.flac")
            found[id] = Utterance(id, speaker, audio, " ".join(words) or None, genders.get(speaker), listed=where)
    return Corpus("LibriSpeech", list(found.values()))


def _transcripts(folder: Path) -> Iterator[Path]:
    return chain(folder.glob("*/*/*.trans.txt"), folder.glob("*/*/*/*.trans.txt"))


def _genders(folder: Path) -> dict[str, str | None]:
    """Return speaker -> gender of `SPEAKERS.TXT` (`14 | F | train-clean-360 | ...`), if it is there."""
    for path in (folder / "SPEAKERS.TXT", folder.parent / "SPEAKERS.TXT"):
        if path.is_file():
            rows = (line.split("|") for line in read_lines(path) if not line.startswith(";"))
            return {row[0].strip(): gender(row[1]) for row in rows if len(row) > 1}
    return {}
