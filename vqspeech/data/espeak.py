"""Synthetic speech with exact phone times, spoken by espeak-ng through ctypes."""

import ctypes
import itertools
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from vqspeech.data.labels import Phone
from vqspeech.errors import VqspeechError, did_you_mean
from vqspeech.extras import require

PAUSE = "pau"
LEAD_IN = 0.15  # seconds of silence before the speech, as a recording has; espeak-ng starts at once
# Variants (reduced, glottal, syllabic, r-coloured) whose mnemonic does not begin with their phone's.
FOLDED = {"a#": "@", "?": "t", "@L": "l", ";": "j", "aa": "a", "IR": "3", "VR": "3", "o@": "O@"}

# From espeak-ng's speak_lib.h.
SYNCHRONOUS = 2
PHONEME_EVENTS, DONT_EXIT = 0x1, 0x8000
WORD, PHONEME = 1, 7
CHARS_UTF8, END_PAUSE = 0x1, 0x1000
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
OK = 0


class Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h; a list of them ends with one of type 0."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("mnemonic", ctypes.c_char * 8),  # a union in C, of which phoneme events use this member
    ]


SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


@dataclass(frozen=True)
class Voice:
    """A voice of espeak-ng: an accent spoken by one of its variants."""

    language: str
    """espeak-ng's name of the accent, such as `en-us`."""
    variant: str
    """Name of a file in espeak-ng's `voices/!v`, such as `f2`."""
    pitch: int = 50
    """0 to 99; 50 is the variant's own pitch."""
    pitch_range: int = 50
    """0 (monotonous) to 99 (lively)."""
    words_per_minute: int = 165

    @property
    def name(self) -> str:
        return f"{self.language}+{self.variant}"


def check_voice(voice: Voice) -> None:
    """Raise VqspeechError when espeak-ng is not installed or does not ship the voice's variant.

    espeak-ng accepts an unknown variant in silence and speaks with the accent's plain voice.
    """
    variants = sorted(file.name for file in (_data_folder() / "voices" / "!v").iterdir())
    if voice.variant not in variants:
        hint = did_you_mean(voice.variant, variants)
        raise VqspeechError(f"espeak-ng has no voice variant {voice.variant!r}{hint}")


def speak(voice: Voice, texts: Iterable[str]) -> Iterator[tuple[np.ndarray, int, list[Phone]]]:
    """Yield the waveform (int16 `[T]`), its sample rate and its phones for each text.

    The phones tile the waveform in seconds, from 0 to its end; silence is `pau`. What espeak-ng sounds like
    depends on all that the process has spoken before: a fresh process gives the same samples again.
    Raises VqspeechError when espeak-ng is missing or refuses the voice.
    """
    check_voice(voice)
    with _espeak() as (library, sample_rate):
        _choose(library, voice)
        for text in texts:
            samples, starts = _synthesise(library, text)
            lead_in = round(LEAD_IN * sample_rate)
            waveform = np.pad(samples, (lead_in, 0))
            starts = [(lead_in + start, mnemonic) for start, mnemonic in starts]
            yield waveform, sample_rate, _phones(starts, len(waveform), sample_rate)


def phone_class(mnemonic: str) -> str:
    """Return the phone of an espeak-ng mnemonic, without stress, length and variant; a pause is `pau`."""
    if mnemonic.startswith("_"):
        return PAUSE
    mnemonic = mnemonic.lstrip("',%=|")
    # The first sign may be anything (`3`, `@`); after it, what is neither letter nor `@` marks a variant.
    return FOLDED.get(mnemonic) or mnemonic[0] + re.sub(r"[^A-Za-z@]", "", mnemonic[1:])


def _phones(starts: list[tuple[int, str]], samples: int, sample_rate: int) -> list[Phone]:
    """Turn the starts of words and phones into phones that tile `[0, samples)`."""
    edges = [(0, PAUSE)]
    word_start = None
    for sample, mnemonic in starts:
        if not mnemonic:
            word_start = sample
            continue
        phone = phone_class(mnemonic)
        # A stop's event comes after its closure; the start of its word, where there is one, comes before.
        start = sample if word_start is None else word_start
        word_start = None
        if phone != PAUSE or edges[-1][1] != PAUSE:
            edges.append((start, phone))
    ends = [start for start, _ in edges[1:]] + [samples]
    return [
        Phone(start / sample_rate, end / sample_rate, phone)
        for (start, phone), end in zip(edges, ends, strict=True)
        if end > start  # a phone swallowed by its neighbour has no samples
    ]


@contextmanager
def _espeak() -> Iterator[tuple[ctypes.CDLL, int]]:
    """Load and initialise espeak-ng; give it with its sample rate in Hz."""
    data = _data_folder()
    try:
        library = ctypes.CDLL(_loader().get_library_path())
    except OSError as error:
        raise VqspeechError(f"cannot load espeak-ng: {error}") from None
    # espeak-ng keeps the folder of its data in 160 bytes, fewer than a deep virtual environment needs.
    with tempfile.TemporaryDirectory() as short:
        (Path(short) / "espeak-ng-data").symlink_to(data)
        sample_rate = library.espeak_Initialize(SYNCHRONOUS, 0, short.encode(), PHONEME_EVENTS | DONT_EXIT)
        if sample_rate <= 0:
            raise VqspeechError(f"espeak-ng cannot read its data in {data}")
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # or else the clock decides the noise in a voice
        yield library, sample_rate


def _synthesise(library: ctypes.CDLL, text: str) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Return int16 samples, and the starts of phones (sample, mnemonic) and of words (sample, "")."""
    chunks: list[np.ndarray] = []
    starts: list[tuple[int, str]] = []

    @SynthCallback
    def collect(samples, count, events) -> int:
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in itertools.takewhile(lambda event: event.type != 0, events):
            if event.type in (WORD, PHONEME):
                starts.append((event.sample, event.mnemonic.decode() if event.type == PHONEME else ""))
        return 0

    library.espeak_SetSynthCallback(collect)
    encoded = text.encode()
    size = ctypes.c_size_t(len(encoded) + 1)
    if library.espeak_Synth(encoded, size, 0, 0, 0, CHARS_UTF8 | END_PAUSE, None, None) != OK:
        raise VqspeechError(f"espeak-ng could not speak {text!r}")
    return np.concatenate(chunks), starts


def _choose(library: ctypes.CDLL, voice: Voice) -> None:
    # On an error espeak-ng goes on with the voice it had.
    if library.espeak_SetVoiceByName(voice.name.encode()) != OK:
        raise VqspeechError(f"espeak-ng has no voice {voice.name!r}")
    # At full volume its louder voices clip.
    values = {RATE: voice.words_per_minute, VOLUME: 60, PITCH: voice.pitch, RANGE: voice.pitch_range}
    for parameter, value in values.items():
        if library.espeak_SetParameter(parameter, value, 0) != OK:
            raise VqspeechError(f"espeak-ng refuses parameter {parameter} = {value} of voice {voice.name!r}")


def _data_folder() -> Path:
    return Path(_loader().get_data_path())


def _loader() -> ModuleType:
    require(["espeakng-loader"], "pip install 'vqspeech[miniature]'")
    import espeakng_loader

    return espeakng_loader
