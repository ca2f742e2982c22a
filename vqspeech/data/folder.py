"""A plain folder with one folder of recordings for each speaker, as anyone's own recordings may lie."""

from collections.abc import Iterator
from pathlib import Path

from vqspeech.audio import AUDIO_SUFFIXES
from vqspeech.data.utterance import Corpus, Utterance, transcript, utterance_id
from vqspeech.errors import VqspeechError


def is_speaker_folders(folder: Path) -> bool:
    """Tell whether any folder in `folder` holds a recording."""
    return next(_recordings(folder), None) is not None


def read_speaker_folders(folder: Path) -> Corpus:
    """Read `SPEAKER/**/NAME.wav` (any audio format); the text, if any, is in `NAME.txt` beside it.

    The id is `SPEAKER-NAME`, or `NAME` if that starts with the speaker; white space becomes `_`, folders
    between become part of the name. Raises VqspeechError for unsafe names and for two files of one id.
    """
    found: dict[str, Utterance] = {}
    for path in sorted(_recordings(folder)):
        speaker, *parts = ("_".join(part.split()) for part in path.relative_to(folder).with_suffix("").parts)
        id = utterance_id(speaker, "-".join(parts))
        if id in found:
            raise VqspeechError(f"{path}: utterance {id} is also {found[id].audio}; rename or remove one")
        found[id] = Utterance(id, speaker, path, transcript(path.with_suffix(".txt")))
    return Corpus("speaker folders", list(found.values()))


def _recordings(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*/**/*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in AUDIO_SUFFIXES and not hidden and path.is_file():
            yield path
