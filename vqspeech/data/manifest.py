"""A folder with `manifest.tsv`: a header line, then one utterance a line, in tab-separated columns.

Columns `utt`, `speaker` and `path` (relative to the folder) are needed, `gender` and `text` are used, others
are ignored. Quotes are plain characters.
"""

from pathlib import Path

from vqspeech.data.utterance import Corpus, Utterance, gender, read_lines, utterance_id
from vqspeech.errors import VqspeechError

NAME = "manifest.tsv"
NEEDED = ("utt", "speaker", "path")


def is_manifest(folder: Path) -> bool:
    """Tell whether `folder` holds a manifest."""
    return (folder / NAME).is_file()


def read_manifest(folder: Path) -> Corpus:
    """Read the utterances that the manifest lists.

    Raises VqspeechError with file and line for a missing column, a wrong number of fields, an unsafe id and
    an utterance that is listed twice.
    """
    manifest = folder / NAME
    header, *lines = read_lines(manifest)
    columns = header.rstrip("\r").split("\t")
    for needed in NEEDED:
        if needed not in columns:
            raise VqspeechError(f"{manifest}:1: the header lacks the column {needed!r}")
    found: dict[str, Utterance] = {}
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        where = f"{manifest}:{number}"
        fields = line.rstrip("\r").split("\t")
        if len(fields) != len(columns):
            raise VqspeechError(f"{where}: {len(fields)} fields where the header has {len(columns)}")
        row = dict(zip(columns, fields, strict=True))
        speaker = row["speaker"]
        id = utterance_id(speaker, row["utt"])
        if id in found:
            raise VqspeechError(f"{where}: utterance {id} was already in {found[id].listed}")
        text = " ".join(row.get("text", "").split()) or None
        audio = folder / row["path"]
        found[id] = Utterance(id, speaker, audio, text, gender(row.get("gender", "")), listed=where)
    return Corpus("manifest", list(found.values()))
