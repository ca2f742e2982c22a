import io
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import tee
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.audio import AudioError
from vqspeech.codec import Codec
from vqspeech.conversion.pipe import at_source_level, convert_through_pipe, latency, read_pipe, write_pipe
from vqspeech.errors import UsageError


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder)
    return Codec.load(folder)


def live(codec: Codec, blocks: Iterable[np.ndarray], gain: float = 1.0) -> Iterator[np.ndarray]:
    """What a pipe gives for the blocks that it brings."""
    heard, source = tee(blocks)
    return at_source_level(codec.convert_live(heard, "p226", gain), source, gain, RATE)


def piped(content: bytes, raw_rate: int | None = None) -> np.ndarray:
    """What is read of a pipe that brings the content."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(content)

    thread = Thread(target=write)
    thread.start()
    try:
        return np.concatenate(list(read_pipe(reading, RATE, raw_rate)))
    finally:
        thread.join()
        os.close(reading)


def encoded(waveform: np.ndarray, rate: int, form: str = "WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, rate, "PCM_16", format=form)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["WAV", "AU", "AIFF"])
def test_a_pipe_brings_what_a_file_would(tmp_path: Path, form: str):
    content = encoded(np.stack([voice(100, 0.5, seed=0), voice(200, 0.5, seed=1)], axis=1), 2 * RATE, form)
    (tmp_path / "a").write_bytes(content)
    assert np.allclose(piped(content), audio.read(tmp_path / "a", RATE), atol=1e-6)


def test_bare_samples_and_what_streams_write_for_a_length_nobody_knows():
    waveform = voice(100, 0.5, seed=0)
    content = encoded(waveform, RATE)
    assert np.allclose(piped(content[44:], raw_rate=RATE), waveform, atol=1e-4)
    written = io.BytesIO()
    write_pipe(written, [waveform[:100], waveform[100:]], RATE, raw=False)
    assert np.allclose(piped(written.getvalue()), waveform, atol=1e-4)


def test_a_cut_stream_ends_where_it_ends():
    assert len(piped(encoded(voice(100, 0.5, seed=0), RATE)[: 44 + 2000])) == 1000


@pytest.mark.parametrize(("content", "says"), [(b"fLaC nonsense" * 9, "--raw-rate HZ"), (b"", "--raw-rate HZ")])
def test_what_no_pipe_can_bring_is_told(content: bytes, says: str):
    with pytest.raises(AudioError, match=says):
        piped(content)


def test_a_stream_comes_out_while_it_goes_in_and_no_later_than_stated(codec: Codec):
    waveform = voice(100, 0.5, seed=0)
    read = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal read
        for i in range(0, len(waveform), 160):
            read += len(waveform[i : i + 160])
            yield waveform[i : i + 160]

    given = 0
    for block in live(codec, blocks()):
        assert read - given <= latency(codec) * RATE
        given += len(block)
    assert given == len(waveform)
    assert latency(codec) < 0.15


def test_the_gain_decides_the_level_that_is_coded_and_given_back(codec: Codec):
    waveform = voice(100, 0.3, seed=0)
    level = np.concatenate(list(codec.convert_blocks([waveform], "p226", 1.0, cut=False)))
    # A source 16 times quieter, with the gain that makes up for it, says the same 16 times more quietly.
    quiet = np.concatenate(list(live(codec, [waveform / 16], gain=16.0)))
    assert np.allclose(quiet * 16, level, atol=1e-6)
    loud = np.concatenate(list(live(codec, [waveform * 16], gain=1 / 16)))
    assert np.abs(loud).max() <= audio.PEAK * 1.0001


def test_silence_stays_silence(codec: Codec):
    waveform = np.concatenate([voice(100, 0.2, seed=0), np.zeros(RATE // 2, np.float32)])
    out = np.concatenate(list(live(codec, [waveform])))
    assert out[:3000].any() and not out[3200 + 640 :].any()


def through(
    monkeypatch: pytest.MonkeyPatch, codec: Codec, path: Path, *arguments: object, **options: object
) -> tuple[bytes, Codec]:
    """What stdout gets when the file is stdin."""
    stdout = io.BytesIO()
    with path.open("rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=stdout, write=lambda _: None, flush=lambda: None))
        convert_through_pipe(codec, *arguments, **options)
    return stdout.getvalue()


def test_stdin_to_stdout_to_a_file_and_the_other_way_round(codec: Codec, tmp_path: Path, monkeypatch):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(voice(100, 0.2, seed=0), RATE))
    wav = through(monkeypatch, codec, path, ["-"], ["p226"], Path("-"), seed=3)
    assert wav[:4] == b"RIFF" and len(wav) == 44 + 2 * RATE // 5
    bare = tmp_path / "a.raw"
    bare.write_bytes(path.read_bytes()[44:])
    assert through(monkeypatch, codec, bare, ["-"], ["p226"], Path("-"), raw_rate=RATE, seed=3) == wav[44:]
    assert through(monkeypatch, codec, path, ["-"], ["p226"], Path("-"), seed=4) != wav
    out = tmp_path / "b.flac"
    through(monkeypatch, codec, path, ["-"], ["p226"], out, seed=3)
    assert np.allclose(soundfile.read(out, dtype="int16")[0], np.frombuffer(wav[44:], "<i2"), atol=1)
    out.write_text("precious")
    through(monkeypatch, codec, path, ["-"], ["p226"], out)
    assert out.read_text() == "precious"
    measured = through(monkeypatch, codec, path, [str(path)], ["p226"], Path("-"))
    assert len(measured) == len(wav)


@pytest.mark.parametrize(
    ("sources", "speakers", "out"),
    [
        (["-", "a.wav"], ["p226"], "-"),
        (["-"], ["p225", "p226"], "-"),
        (["-"], ["p226"], None),
        ([str(Path(__file__).parent)], ["p226"], "-"),
    ],
)
def test_a_pipe_takes_one_of_each(codec: Codec, sources: list[str], speakers: list[str], out: str | None):
    with pytest.raises(UsageError, match="a pipe takes one file or -, one --speaker"):
        convert_through_pipe(codec, sources, speakers, Path(out) if out else None)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"raw_rate": 0}, "--raw-rate 0: give samples a second"),
        ({"raw_rate": -5}, "--raw-rate -5"),
        ({"gain": 1e9}, r"--gain 1e\+09: give decibels, from -120 to 120"),
        ({"gain": float("nan")}, "--gain nan"),
    ],
)
def test_numbers_that_no_pipe_has_are_misuse(codec: Codec, options: dict[str, float], says: str):
    with pytest.raises(UsageError, match=says):
        convert_through_pipe(codec, ["-"], ["p226"], Path("-"), **options)


def test_an_empty_pipe_brings_nothing(codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stdout = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=stdout))
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as stdin, pytest.raises(AudioError, match="stdin"):
        monkeypatch.setattr(sys, "stdin", stdin)
        convert_through_pipe(codec, ["-"], ["p226"], Path("-"))
    assert not stdout.getvalue()
