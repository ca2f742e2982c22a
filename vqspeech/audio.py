"""Audio files in and out, and the one normalisation of speech that the whole project uses.

A waveform is a mono float32 array of shape [T] with full scale at 1.0.

The normalisation (bits per sample depend on it, so it is fixed): `speech_span` drops the silence at both
edges, `level_gain` then brings the speech to one level. Training audio gets both, conversion the level alone.
"""

import io
import os
import re
import struct
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import soundfile
import soxr

from vqspeech.archive import Content, Member
from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.windows import windows

# Of the many formats libsndfile reads, the endings that mark a file in a corpus folder as audio.
AUDIO_SUFFIXES = frozenset(
    {
        *{".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".aifc"},
        *{".au", ".snd", ".sph", ".caf", ".w64", ".rf64"},
    }
)
WRITTEN_FORMATS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
}

BLOCK_SECONDS = 10.0
BLOCK_SAMPLES = 2**24
# What a header may promise; beyond it memory would be taken for nothing.
RATES = range(1000, 768_001)
MOST_CHANNELS = 64
LONGEST_SECONDS = 12 * 3600
FRAME_SECONDS = 0.02
LEVEL_DBFS = -23.0
LEVEL_RANGE_DB = 30.0
KNOCK_DB = 20.0
PEAK = 0.95
FAINTEST = 1e-15
"""RMS below which a waveform is digital silence: the gain that makes speech of it may be no float32."""
SPAN_RANGE_DB = 35.0
SPAN_MARGIN_SECONDS = 0.05


class AudioError(VqspeechError):
    """Audio that cannot be read or written; the message names the file."""


@dataclass(frozen=True)
class Pipe:
    """A shell command that prints an audio file, as `wav.scp` may hold."""

    command: str

    def __str__(self) -> str:
        return f"{self.command} |"


Source = Path | Member | Pipe


def file_of(source: Source) -> Path:
    """Return a source that is a file. Raises AudioError for one that lies in an archive or comes through a pipe."""
    if not isinstance(source, Path):
        raise AudioError(f"{source}: is no file of its own, which is needed here")
    return source


def read(source: Source, sample_rate: int) -> np.ndarray:
    """Read any file libsndfile knows as a waveform [T] at `sample_rate`; channels are averaged.

    Raises AudioError when the file is missing, damaged, truncated, without samples, holds NaN or infinity, or is longer
    than twelve hours: compressed silence takes no room on the disk.
    """
    blocks, count = [], 0
    for block in read_blocks(source, sample_rate):
        blocks.append(block)
        count += len(block)
        if count > LONGEST_SECONDS * sample_rate:
            raise AudioError(f"{source}: longer than {LONGEST_SECONDS // 3600} hours: cut it first")
    return np.concatenate(blocks)


def read_blocks(source: Source, sample_rate: int) -> Iterator[np.ndarray]:
    """Read as `read` does, but in blocks [T] of some seconds, so that a file of any length takes little memory.

    The samples are those of `read`. Errors come as it comes upon them.
    """
    if isinstance(source, Pipe):
        samples, file_rate = _decode_pipe(source)
        yield from resampled([samples], source, file_rate, sample_rate)
        return
    with _open(source) as file:
        _refuse_truncated(file, source)
        yield from resampled(_decoded(file, source), source, file.samplerate, sample_rate)


def write(path: Path, waveform: np.ndarray | Iterable[np.ndarray], sample_rate: int, comment: str = "") -> None:
    """Write a waveform [T] or blocks of one, clipped to [-1, 1], whole or not at all; the ending names the format.

    The endings: .wav and .flac (16-bit PCM), .ogg (Vorbis), .opus. `comment` goes into the file's tags.
    Raises AudioError for another ending, for samples that are no numbers, and when the format lacks the rate.
    """
    path = Path(path)
    if path.suffix.lower() not in WRITTEN_FORMATS:
        raise AudioError(f"{path}: its ending names no format; write .wav, .flac, .ogg or .opus")
    container, subtype = WRITTEN_FORMATS[path.suffix.lower()]
    blocks = [waveform] if isinstance(waveform, np.ndarray) else waveform
    with atomic_write(path, "wb+") as target:
        disk = _Disk(target)
        try:
            with soundfile.SoundFile(disk, "w", sample_rate, 1, subtype, format=container) as file:
                if comment:
                    file.comment = comment
                for block in blocks:
                    if not np.isfinite(block).all():
                        raise AudioError(f"{path}: not written, since its samples are NaN or infinite")
                    clipped = np.clip(np.asarray(block, dtype=np.float32), -1.0, 1.0)
                    # libsndfile's Vorbis and Opus encoders overflow the stack when given minutes at once.
                    for start in range(0, len(clipped), sample_rate):
                        file.write(clipped[start : start + sample_rate])
                    disk.check()
        except soundfile.LibsndfileError as error:
            disk.check()
            raise AudioError(f"{path}: cannot be written at {sample_rate} Hz: {reason_of(error)}") from error
        disk.check()


def duration(path: Path | Member) -> float:
    """Return the length of an audio file in seconds, from its header alone.

    Raises AudioError when the file is missing or is no audio.
    """
    with _open(path) as file:
        return file.frames / file.samplerate


def comment(path: Path) -> str:
    """Return the comment in the tags of an audio file, "" when there is none. Errors as in `duration`."""
    with _open(path) as file:
        return file.comment


def is_whole(path: Path) -> bool:
    """Tell whether the last sample that the header of a file promises is there. Errors as in `duration`."""
    with _open(path) as file:
        try:
            return file.seek(-1, io.SEEK_END) >= 0 and len(file.read(1)) == 1
        except soundfile.LibsndfileError:
            return False


def level_gain(waveform: np.ndarray, sample_rate: int) -> float:
    """Return the factor that brings the speech in a waveform [T] to `LEVEL_DBFS`; 1.0 for digital silence.

    The level is the RMS over those frames of 20 ms that are within 30 dB of the loudest, so that pauses do
    not count. The factor is smaller where the loudest sample would come to lie above `PEAK`.
    """
    return level_gain_of_blocks([waveform], sample_rate)


def level_gain_of_blocks(blocks: Iterable[np.ndarray], sample_rate: int) -> float:
    """Return what `level_gain` returns for a waveform that comes in blocks [T]."""
    return measure_level(blocks, sample_rate).gain


@dataclass(frozen=True)
class Level:
    """How loud a waveform is."""

    speech: float
    """RMS over the frames of 20 ms that are within 30 dB of the loudest; 0 for digital silence."""
    peak: float
    """Of the samples' absolute values."""
    seconds: float
    """In all, of the frames that count as speech."""

    @property
    def gain(self) -> float:
        """As `level_gain` returns it."""
        return min(10 ** (LEVEL_DBFS / 20) / self.speech, PEAK / self.peak) if self.speech > FAINTEST else 1.0


def measure_level(blocks: Iterable[np.ndarray], sample_rate: int) -> Level:
    """Measure a waveform that comes in blocks [T].

    Frames more than 20 dB above the loudest three in a row are knocks: they are no speech.
    """
    powers, peak = [np.zeros(1)], 0.0
    for window in windows(blocks, round(FRAME_SECONDS * sample_rate), 1000, 0):
        powers.append(_frame_power(window.samples, sample_rate))
        peak = max(peak, float(np.abs(window.samples).max()))
    power = np.concatenate(powers)
    held = np.minimum(np.minimum(power[:-2], power[1:-1]), power[2:]).max(initial=0.0)
    if held:
        power = power[power <= held * 10 ** (KNOCK_DB / 10)]
    active = power[power >= power.max() * 10 ** (-LEVEL_RANGE_DB / 10)]
    return Level(float(np.sqrt(active.mean())), peak, FRAME_SECONDS * np.count_nonzero(active))


def speech_span(waveform: np.ndarray, sample_rate: int) -> tuple[int, int]:
    """Return [start, end) in samples of a waveform [T] without the silence at its edges.

    Speech starts and ends with three frames (60 ms) in a row that are within 35 dB of the loudest frame, both
    measured on the first difference of the waveform; 50 ms before and after are kept. A waveform without
    three such frames is kept whole.
    """
    # The difference weighs down hum and rumble, which else hide the silence of VCTK; clicks last one frame.
    power = _frame_power(np.diff(waveform, prepend=waveform[:1]), sample_rate)
    active = (power > 0) & (power >= power.max(initial=0.0) * 10 ** (-SPAN_RANGE_DB / 10))
    runs = np.flatnonzero(active[:-2] & active[1:-1] & active[2:])
    if not runs.size:
        return 0, len(waveform)
    frame, margin = round(FRAME_SECONDS * sample_rate), round(SPAN_MARGIN_SECONDS * sample_rate)
    start, end = int(runs[0]) * frame, int(runs[-1] + 3) * frame
    return max(0, start - margin), min(len(waveform), end + margin)


def _frame_power(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return the mean square of each frame of 20 ms [F]; the last one may be short."""
    starts = np.arange(0, len(waveform), round(FRAME_SECONDS * sample_rate))
    if not starts.size:
        return np.zeros(0)
    lengths = np.diff(starts, append=len(waveform))
    return np.add.reduceat(np.square(waveform, dtype=np.float64), starts) / lengths


class _Disk:
    """A file that keeps its first error to itself until asked.

    libsndfile, as it closes a file on a full disk, may say nothing of it, and soundfile takes it for a bug.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self.error is not None:
            raise self.error

    def write(self, data: bytes) -> int:
        self._remember(self.file.write, data)
        return len(data)

    def read(self, size: int) -> bytes:
        return self.file.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._remember(self.file.seek, offset, whence)
        return self.file.tell()

    def tell(self) -> int:
        return self.file.tell()

    def _remember(self, call: Callable[..., int], *arguments: Any) -> None:
        try:
            call(*arguments)
        except OSError as error:
            self.error = self.error or error


def _decoded(file: soundfile.SoundFile, path: Path | Member) -> Iterator[np.ndarray]:
    """Yield blocks of samples [T, channels] as they are in a file."""
    count = 0
    length = min(round(BLOCK_SECONDS * file.samplerate), BLOCK_SAMPLES // file.channels)
    while True:
        try:
            samples = file.read(length, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path}: damaged or truncated: {reason_of(error)}") from error
        if not len(samples):
            break
        count += len(samples)
        yield samples
    if count < file.frames:
        raise AudioError(f"{path}: truncated: {count} of {file.frames} samples are there")


def resampled(
    blocks: Iterable[np.ndarray], source: Source | str, file_rate: int, sample_rate: int
) -> Iterator[np.ndarray]:
    """Average the channels of blocks [T, channels] and bring them to another rate: blocks [T].

    Raises AudioError that names `source` for samples that are NaN or infinite, and when there are none.
    """

    def finite(samples: np.ndarray) -> np.ndarray:
        # Checked behind the sums: those of numbers near the largest are infinite.
        if not np.isfinite(samples).all():
            raise AudioError(f"{source}: holds samples that are NaN or infinite")
        return samples

    resampler = soxr.ResampleStream(file_rate, sample_rate, 1, dtype="float32", quality="HQ")
    heard = given = 0
    for block in blocks:
        with np.errstate(over="ignore", invalid="ignore"):
            mono = finite(block.mean(axis=1))
        heard += len(mono)
        out = mono if file_rate == sample_rate else finite(resampler.resample_chunk(mono))
        given += len(out)
        if len(out):
            yield out
    if not heard:
        raise AudioError(f"{source}: holds no samples")
    if file_rate != sample_rate:
        out = finite(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        given += len(out)
        if len(out):
            yield out
    if not given:
        raise AudioError(f"{source}: shorter than one sample at {sample_rate} Hz")


def _decode_pipe(pipe: Pipe) -> tuple[np.ndarray, int]:
    # A program that writes into a pipe cannot know its length, so header sizes are not held against it.
    done = subprocess.run(pipe.command, shell=True, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip().splitlines() or ["it says nothing"]
        raise AudioError(f"{pipe}: the command ended with {done.returncode}: {complaint[-1]}")
    try:
        return soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{pipe}: the command printed no audio: {reason_of(error)}") from error


def content(source: Path | Member) -> bytes | Content:
    """Return what libsndfile reads a recording from. Raises VqspeechError and OSError for a damaged archive."""
    # As bytes, since soundfile refuses a name that is no UTF-8.
    return source.open() if isinstance(source, Member) else os.fsencode(source)


def _open(path: Path | Member) -> soundfile.SoundFile:
    path = path if isinstance(path, Member) else Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such file")
    if not path.stat().st_size:
        raise AudioError(f"{path}: empty file")
    try:
        file = soundfile.SoundFile(content(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise AudioError(f"{path}: cannot be read as audio: {reason_of(error)}") from error
    if file.samplerate not in RATES or file.channels > MOST_CHANNELS:
        file.close()
        raise AudioError(f"{path}: damaged: {file.channels} channels at {file.samplerate} Hz are no recording")
    return file


def reason_of(error: Exception) -> str:
    """Say in one line what libsndfile or the system complains of."""
    reason = getattr(error, "error_string", "") or str(error)
    return " ".join(reason.split()).rstrip(".")


def _refuse_truncated(file: soundfile.SoundFile, path: Path | Member) -> None:
    """Raise AudioError where libsndfile itself would quietly return what is left of a file."""
    # libsndfile notes the size that the header promised: of the sound for WAV, AIFF and AU, of the file for W64 and
    # RF64. Streams carry a huge or no size.
    noted = r"^ *(?:data|SSND|Data Size|riff|Riff size) +: (\d+) \(should be (\d+)\)"
    promised = re.search(noted, file.extra_info, re.MULTILINE)
    if promised and int(promised[2]) < int(promised[1]) < 0x7FFF0000:
        raise AudioError(f"{path}: truncated: {promised[2]} of {promised[1]} bytes are there")
    if file.format == "OGG" and not _last_ogg_page_is_whole(path):
        raise AudioError(f"{path}: truncated: its last page is cut")


def _last_ogg_page_is_whole(path: Path | Member) -> bool:
    """Tell whether an Ogg file ends where its last page ends (RFC 3533, section 6)."""
    largest_page = 27 + 255 + 255 * 255
    with path.open() if isinstance(path, Member) else Path(path).open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - largest_page))
        tail = file.read()
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27:
        return False
    (segments,) = struct.unpack_from("B", page, 26)
    return len(page) >= 27 + segments + sum(page[27 : 27 + segments])
