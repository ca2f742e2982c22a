"""The CSTR VCTK Corpus, versions 0.80 and 0.92.

0.92: `wav48_silence_trimmed/p225/p225_001_mic1.flac`; 0.80: `wav48/p225/p225_001.wav`; both have
`txt/p225/p225_001.txt` and `speaker-info.txt`.
"""

from collections import Counter
from pathlib import Path

from vqspeech.data.utterance import Corpus, Utterance, gender, read_lines, transcript
from vqspeech.errors import UsageError

AUDIO_FOLDERS = {"wav48_silence_trimmed": "VCTK 0.92", "wav48": "VCTK 0.80"}
MICS = ("mic1", "mic2")
WITHOUT_TEXT = "p315"
UNSEEN = {"test_unseen": ("p232", "p257"), "dev_unseen": ("p287", "p294")}


def is_vctk(folder: Path) -> bool:
    """Tell whether `folder` has the layout of VCTK."""
    return (folder / "txt").is_dir() and any((folder / name).is_dir() for name in AUDIO_FOLDERS)


def read_vctk(folder: Path, mic: str = "mic1") -> Corpus:
    """Read VCTK; of 0.92 the recordings of `mic`, or the other microphone's where there is only that.

    Left out: speaker p315, whose texts were lost, and texts without a recording, as p362 has.
    Raises UsageError for a microphone other than mic1 and mic2.
    """
    if mic not in MICS:
        raise UsageError(f"no microphone {mic!r}: VCTK has {' and '.join(MICS)}")
    audio_folder = next(name for name in AUDIO_FOLDERS if (folder / name).is_dir())
    recordings = _recordings(folder / audio_folder, mic)
    genders = _genders(folder / "speaker-info.txt")
    corpus = Corpus(AUDIO_FOLDERS[audio_folder], [], unseen=UNSEEN)
    lacking: Counter[str] = Counter()
    for id, path in recordings.items():
        speaker = path.parent.name
        text = transcript(folder / "txt" / speaker / f"{id}.txt")
        if text is None and speaker == WITHOUT_TEXT:
            corpus.left_out[id] = "the texts of this speaker were lost"
            continue
        corpus.utterances.append(Utterance(id, speaker, path, text, genders.get(speaker)))
        if path.stem != id and not path.stem.endswith(mic):
            lacking[speaker] += 1
    for path in sorted((folder / "txt").glob("*/*.txt")):
        if path.stem not in recordings:
            corpus.left_out[path.stem] = "text without a recording"
    if lacking:
        speakers = ", ".join(sorted(lacking)[:4]) + (", ..." if len(lacking) > 4 else "")
        corpus.notes.append(f"{lacking.total()} utterances of {speakers} lack {mic}; the other microphone is taken")
    return corpus


def _recordings(folder: Path, mic: str) -> dict[str, Path]:
    """Return the recording of each utterance: the one of `mic` where there are two."""
    recordings: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*")):
        if path.suffix not in (".flac", ".wav") or path.name.startswith("."):
            continue
        id, _, suffix = path.stem.rpartition("_")
        if suffix not in MICS:
            recordings[path.stem] = path
        elif suffix == mic or id not in recordings:
            recordings[id] = path
    return recordings


def _genders(path: Path) -> dict[str, str | None]:
    """Return speaker -> gender of `speaker-info.txt`: ID AGE GENDER and more, in ragged columns.

    The ids of 0.80 lack the `p`, so each speaker is given with and without it.
    """
    genders = {}
    for line in read_lines(path) if path.is_file() else []:
        id, _age, word, *_ = [*line.split(), "", "", ""]
        genders[id] = genders[f"p{id}"] = gender(word)
    return genders
