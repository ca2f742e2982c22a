"""The embedded miniature: a corpus of synthetic voices in the layout of VCTK 0.92."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from vqspeech.data.espeak import Voice, check_voice, speak
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_folder
from vqspeech.progress import progress, say

SHARED_TEXTS = 8  # sentences 001 to 008 are read by every speaker

README = """\
THESE ARE SYNTHETIC VOICES. No person is heard in this folder.

It is vqspeech's miniature corpus: sentences written for vqspeech and spoken by espeak-ng, in the layout of
VCTK 0.92, so that everything can be tried within minutes and without a download. Numbers measured on it say
whether the software works; they say nothing about real speech.

wav48_silence_trimmed/  one FLAC file an utterance, at espeak-ng's own rate of 22050 Hz
txt/                    what is said; sentences 001 to 008 are the same for all speakers
phones/                 "start end phone" in seconds, as espeak-ng timed them; silence is pau
speaker-info.txt        id, age (none: 0), gender, accent, region and the voice in espeak-ng's terms
"""


@dataclass(frozen=True)
class Speaker:
    """A synthetic speaker: what speaker-info.txt says of it, and its voice."""

    gender: str
    accent: str
    region: str
    voice: Voice


# Female and male alternate, so that any first few are easy to tell apart; median F0 runs from 75 to 283 Hz.
SPEAKERS = {
    "x01": Speaker("F", "English", "", Voice("en-gb-x-rp", "f2", 45, 55, 165)),
    "x02": Speaker("M", "American", "", Voice("en-us", "m3", 54, 45, 160)),
    "x03": Speaker("F", "American", "", Voice("en-us", "Annie", 45, 60, 165)),
    "x04": Speaker("M", "Scottish", "", Voice("en-gb-scotland", "m7", 36, 40, 150)),
    "x05": Speaker("F", "American", "New York", Voice("en-us-nyc", "f1", 36, 70, 165)),
    "x06": Speaker("M", "English", "Lancaster", Voice("en-gb-x-gbclan", "m4", 77, 60, 170)),
    "x07": Speaker("F", "Scottish", "", Voice("en-gb-scotland", "f3", 54, 40, 155)),
    "x08": Speaker("M", "English", "", Voice("en", "david", 50, 50, 145)),
    "x09": Speaker("F", "Caribbean", "", Voice("en-029", "anika", 55, 50, 140)),
    "x10": Speaker("M", "English", "West Midlands", Voice("en-gb-x-gbcwmd", "benjamin", 88, 50, 160)),
}


def make_miniature(folder: Path, speakers: int = 10, sentences: int = 40, nj: int = 2) -> None:
    """Make the miniature corpus in `folder`, whole or not at all: `sentences` utterances a speaker.

    The defaults make about 27 minutes of speech. The same arguments give the same bytes, whatever `nj`, the
    number of processes at a time. Raises VqspeechError when `folder` is not empty, espeak-ng is missing (the
    extra `miniature`), or more is asked for than there is.
    """
    _check("speakers", speakers, len(SPEAKERS))
    _check("sentences", sentences, len(_all_texts()))
    chosen = list(SPEAKERS)[:speakers]
    for speaker in chosen:
        check_voice(SPEAKERS[speaker].voice)
    with atomic_folder(folder) as corpus, ThreadPoolExecutor(nj) as pool:
        say(f"making a miniature corpus of {speakers} SYNTHETIC voices in {folder}")
        (corpus / "README").write_text(README, encoding="utf-8")
        (corpus / "speaker-info.txt").write_text(_speaker_info(chosen), encoding="utf-8")
        done = pool.map(lambda speaker: _record_apart(corpus, speaker, sentences), chosen)
        for _ in progress(done, "miniature", total=speakers, unit="speaker"):
            pass


def texts_of(speaker: str, sentences: int) -> list[str]:
    """Return what `speaker` reads: the texts shared by all, then a window of the others.

    The windows start at equal distances on the ring of texts; at 40 sentences neighbours share nine.
    """
    texts = _all_texts()
    shared, ring = texts[:SHARED_TEXTS], texts[SHARED_TEXTS:]
    start = list(SPEAKERS).index(speaker) * len(ring) // len(SPEAKERS)
    return (shared + ring[start:] + ring[:start])[:sentences]


def _all_texts() -> list[str]:
    return resources.files(__package__).joinpath("miniature.txt").read_text(encoding="utf-8").splitlines()


def _check(what: str, asked: int, available: int) -> None:
    if not 1 <= asked <= available:
        raise VqspeechError(f"the miniature has 1 to {available} {what}, not {asked}")


def _speaker_info(speakers: list[str]) -> str:
    rows = ["ID  AGE  GENDER  ACCENTS  REGION COMMENTS"]
    for id in speakers:
        speaker = SPEAKERS[id]
        region = f"{speaker.region} " if speaker.region else ""
        rows.append(f"{id}  0  {speaker.gender}    {speaker.accent} {region}(synthetic: {speaker.voice.name})")
    return "\n".join(rows) + "\n"


def _record_apart(corpus: Path, speaker: str, sentences: int) -> None:
    """Run `_record` in a fresh process, since what espeak-ng spoke before changes what it speaks."""
    command = [sys.executable, "-m", __name__, str(corpus), speaker, str(sentences)]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode != 0:
        reason = process.stderr.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
        raise VqspeechError(f"cannot make synthetic speaker {speaker}: {reason[0]}")


def _record(corpus: Path, speaker: str, sentences: int) -> None:
    """Write audio, texts and phones of one speaker."""
    import soundfile

    audio, txt, phones = (corpus / name / speaker for name in ("wav48_silence_trimmed", "txt", "phones"))
    for folder in (audio, txt, phones):
        folder.mkdir(parents=True)
    texts = texts_of(speaker, sentences)
    recordings = speak(SPEAKERS[speaker].voice, texts)
    for number, (text, (waveform, sample_rate, times)) in enumerate(zip(texts, recordings, strict=True), 1):
        id = f"{speaker}_{number:03}"
        soundfile.write(audio / f"{id}_mic1.flac", waveform, sample_rate)
        (txt / f"{id}.txt").write_text(f"{text}\n", encoding="utf-8")
        lines = [f"{phone.start:.6f} {phone.end:.6f} {phone.phone}\n" for phone in times]
        (phones / f"{id}.phn").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    try:
        _record(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    except VqspeechError as error:
        sys.exit(str(error))
