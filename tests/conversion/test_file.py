"""One file to another, by a codec that speaks what the test wants."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.speech import RATE, voice
from tests.tiny import save_tiny_model
from vqspeech import audio
from vqspeech.codec import Codec


class Speaking(Codec):
    """A codec that speaks what a function makes of the source."""

    def __init__(self, speak: Callable[[np.ndarray], np.ndarray]) -> None:
        self.speak_as, self.sample_rate = speak, RATE

    def convert_blocks(self, blocks: Iterable[np.ndarray], *_: object, **__: object) -> Iterator[np.ndarray]:
        return map(self.speak_as, blocks)


def converted(tmp_path: Path, source: np.ndarray, speak: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    soundfile.write(tmp_path / "source.wav", source, RATE, "FLOAT")
    Speaking(speak).convert_file(tmp_path / "source.wav", "p", tmp_path / "out.wav")
    return soundfile.read(tmp_path / "out.wav", dtype="float32")[0]


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.square(waveform).mean()))


@pytest.mark.parametrize("level", [0.003, 0.1, 0.5])
def test_the_conversion_is_as_loud_as_its_source(tmp_path: Path, level: float):
    source = level * np.sin(np.arange(RATE) * 0.3).astype(np.float32)
    out = converted(tmp_path, source, lambda block: np.cos(np.arange(len(block)) * 0.2).astype(np.float32) * 0.07)
    assert rms(out) == pytest.approx(rms(source), rel=0.01)


def test_a_peak_keeps_it_quieter_rather_than_clipped(tmp_path: Path):
    def with_a_click(block: np.ndarray) -> np.ndarray:
        spoken = np.float32(0.1) * np.sin(np.arange(len(block)) * 0.2).astype(np.float32)
        spoken[5000] = 1.0
        return spoken

    source = 0.5 * np.sin(np.arange(RATE) * 0.3).astype(np.float32)
    out = converted(tmp_path, source, with_a_click)
    assert np.abs(out).max() == pytest.approx(audio.PEAK, abs=1e-3)
    assert np.abs(np.delete(out, 5000)).max() == pytest.approx(0.095, abs=1e-3)


def test_a_knock_does_not_make_the_conversion_louder(tmp_path: Path):
    source = 0.05 * voice(120, 1.0, seed=0)
    source[3000:3040] = 0.9
    out = converted(tmp_path, source, lambda block: voice(150, 1.0, seed=1)[: len(block)])
    assert np.sqrt(np.mean(out[4000:] ** 2)) == pytest.approx(np.sqrt(np.mean(source[4000:] ** 2)), rel=0.3)


def test_silence_stays_silence(tmp_path: Path):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE).astype(np.float32)
    source = np.concatenate([voice(100, 1.0, seed=0), np.zeros(RATE, np.float32)])
    out = converted(tmp_path, source, lambda block: noise[: len(block)])
    assert out[: RATE - 500].any() and not out[RATE + 640 :].any()
    assert not converted(tmp_path, np.zeros(RATE), lambda block: noise[: len(block)]).any()


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    folder = tmp_path_factory.mktemp("model")
    save_tiny_model(folder)
    return Codec.load(folder)


@pytest.mark.parametrize(
    ("form", "subtype", "rate", "channels", "ending"),
    [
        ("WAV", "PCM_U8", 8000, 1, ".wav"),
        ("WAV", "FLOAT", 96000, 2, ".flac"),
        ("WAV", "PCM_24", 44100, 2, ".opus"),
        ("WAVEX", "PCM_32", 48000, 1, ".ogg"),
        ("FLAC", "PCM_24", 22050, 2, ".wav"),
        ("OGG", "VORBIS", 44100, 2, ".wav"),
        ("OGG", "OPUS", 48000, 2, ".wav"),
        ("MP3", "MPEG_LAYER_III", 44100, 2, ".wav"),
        ("AIFF", "PCM_16", 11025, 1, ".wav"),
        ("AU", "ULAW", 8000, 1, ".wav"),
        ("CAF", "ALAC_16", 44100, 2, ".wav"),
        ("W64", "DOUBLE", 32000, 1, ".wav"),
        ("NIST", "ALAW", 8000, 1, ".wav"),
    ],
)
def test_what_libsndfile_reads_is_converted(
    codec: Codec, tmp_path: Path, form: str, subtype: str, rate: int, channels: int, ending: str
):
    waveform = np.interp(np.arange(round(0.1 * rate)) / rate, np.arange(1600) / RATE, voice(120, 0.1, seed=0))
    soundfile.write(tmp_path / "a", np.stack([waveform] * channels, axis=1), rate, subtype, format=form)
    out = tmp_path / f"b{ending}"
    codec.convert_file(tmp_path / "a", "p226", out)
    info = soundfile.info(out)
    seconds = soundfile.info(tmp_path / "a").duration  # MP3 pads
    assert (info.samplerate, info.channels) == (RATE, 1)
    assert info.duration == pytest.approx(seconds, abs=0.001)
    assert np.abs(soundfile.read(out)[0]).max() > 0.01


def test_what_cannot_be_read_leaves_no_file(codec: Codec, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(audio.AudioError, match=r"a\.wav"):
        codec.convert_file(tmp_path / "a.wav", "p226", tmp_path / "b.wav")
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
