from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import vqspeech
from tests.speech import RATE, voice
from tests.tiny import save_tiny_model, tiny_config
from vqspeech import audio
from vqspeech import codec as codec_module
from vqspeech.codec import Codec
from vqspeech.conversion import signal
from vqspeech.errors import VqspeechError
from vqspeech.hub import save_pretrained
from vqspeech.models.vqvae import VQVAE


@pytest.fixture
def codec(tmp_path: Path) -> Codec:
    save_tiny_model(tmp_path / "model")
    return vqspeech.load(tmp_path / "model")


@pytest.mark.parametrize("samples", [1, 63, 64, 65, 1000])
def test_encode_gives_one_unit_per_hop_rounded_up(codec: Codec, samples: int) -> None:
    units = codec.encode(voice(100, 1, seed=0)[:samples])
    assert units.dtype == np.int64
    assert units.shape == (-(-samples // 64),)
    assert 0 <= units.min() <= units.max() < codec.codes == 16


def test_long_audio_in_stretches_gives_the_units_of_the_whole(codec: Codec, monkeypatch) -> None:
    waveform = voice(100, 2.01, seed=0)
    whole = codec.encode(waveform)
    assert len(np.unique(whole)) > 1
    monkeypatch.setattr(codec_module, "ENCODE_SECONDS", 0.25)
    assert np.array_equal(codec.encode(waveform), whole)


@pytest.mark.parametrize(("threads", "block"), [(1, 16000), (2, 7001), (2, 100_000)])
def test_frames_are_the_same_bits_whatever_the_threads_and_blocks(tmp_path: Path, threads: int, block: int) -> None:
    # Without codes, so that a difference in the last bit shows.
    save_tiny_model(tmp_path / "model", name="ae")
    codec = vqspeech.load(tmp_path / "model")
    waveform = (0.1 * np.random.default_rng(0).standard_normal(100_000)).astype(np.float32)
    whole = codec.encode(waveform, level=False)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        blocks = (waveform[start : start + block] for start in range(0, len(waveform), block))
        assert np.array_equal(np.concatenate(list(codec.encode_blocks(blocks))), whole)
    finally:
        torch.set_num_threads(before)


def test_the_level_of_the_recording_does_not_matter(codec: Codec) -> None:
    waveform = voice(100, 0.5, seed=0)
    assert np.array_equal(codec.encode(waveform), codec.encode(waveform * 0.25))


def test_convert_keeps_the_length_and_the_seed_decides(codec: Codec) -> None:
    waveform = voice(100, 0.05, seed=0)
    first, again = (codec.convert(waveform, "p226", seed=3) for _ in range(2))
    assert first.shape == waveform.shape
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1
    assert np.array_equal(first, again)
    assert not np.array_equal(first, codec.convert(waveform, "p226", seed=4))
    assert not np.array_equal(first, codec.convert(waveform, "p225", seed=3))


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("block", [100, 1000, 5000])
def test_converting_in_blocks_equals_converting_the_whole(codec: Codec, monkeypatch, cut: bool, block: int) -> None:
    monkeypatch.setattr(codec_module, "ENCODE_SECONDS", 0.05)
    monkeypatch.setattr(signal, "PART_SECONDS", 0.04)
    waveform = voice(100, 0.3, seed=0)[:-5]
    blocks = (waveform[i : i + block] for i in range(0, len(waveform), block))
    heard: list[float] = []
    gain = audio.level_gain(waveform, RATE)
    pieces = list(codec.convert_blocks(blocks, "p226", gain, seed=3, cut=cut, heard=heard.append))
    assert len(pieces) > 1
    assert np.array_equal(np.concatenate(pieces), codec.convert(waveform, "p226", seed=3, cut=cut))
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(0.3, abs=0.005)


def test_one_stream_in_blocks_is_what_decoding_the_units_gives(codec: Codec, monkeypatch) -> None:
    waveform = voice(100, 0.3, seed=0)
    whole = codec.decode(codec.encode(waveform), "p226", seed=3)
    assert np.array_equal(codec.convert(waveform, "p226", seed=3), whole[: len(waveform)])
    monkeypatch.setattr(codec_module, "ENCODE_SECONDS", 0.05)
    monkeypatch.setattr(signal, "STREAM_SECONDS", 0.05)
    assert np.array_equal(codec.convert(waveform, "p226", seed=3, cut=False), whole[: len(waveform)])


def test_a_live_conversion_is_the_stream_and_no_later_than_stated(codec: Codec) -> None:
    waveform = voice(100, 0.3, seed=0)[:-5]
    heard = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal heard
        for i in range(0, len(waveform), 50):
            heard += len(waveform[i : i + 50])
            yield waveform[i : i + 50]

    spoken = 0
    pieces = []
    for piece in codec.convert_live(blocks(), "p226", seed=3):
        assert heard - spoken <= round(codec.latency * RATE) + 50
        spoken += len(piece)
        pieces.append(piece)
    assert codec.latency < 0.1
    gain_of_one = np.concatenate(list(codec.convert_blocks([waveform], "p226", 1.0, seed=3, cut=False)))
    assert np.array_equal(np.concatenate(pieces), gain_of_one)


def test_a_batch_gives_each_utterance_its_length_and_order(codec: Codec) -> None:
    shares: list[float] = []
    waveforms = codec.decode_batch([[1, 2, 3], [4], [5, 6]], ["p225", "p226", "p225"], heard=shares.append)
    assert [len(w) for w in waveforms] == [3 * 64, 64, 2 * 64]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)


def test_a_batch_equals_one_by_one_whatever_the_lengths(codec: Codec) -> None:
    together = codec.decode_batch([[1, 2, 3], [4, 5]], ["p225", "p226"], seed=7)
    for units, speaker, waveform in zip([[1, 2, 3], [4, 5]], ["p225", "p226"], together, strict=True):
        assert np.allclose(codec.decode(units, speaker, seed=7), waveform)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.decode([1], "p22"), "no speaker 'p22'; did you mean p225, p226|p226, p225"),
        (lambda c: c.decode([1], "zz"), "it knows p225, p226"),
        (lambda c: c.decode([16], "p225"), "cannot decode unit 16: .* has units 0 to 15"),
        (lambda c: c.decode([-1], "p225"), "cannot decode unit -1"),
        (lambda c: c.decode([], "p225"), "cannot decode units of shape"),
        (lambda c: c.decode([1], "p225", temperature=-1), "temperature -1 is no number from 0 on"),
        (lambda c: c.decode([1], "p225", temperature=float("nan")), "temperature nan is no number"),
        (lambda c: c.decode([1], "p225", seed=2**64), "seed 18446744073709551616 does not fit into 64 bits"),
        (lambda c: c.decode([1.7, 2.9], "p225"), "units of type float64: expected whole numbers"),
        (lambda c: c.encode(np.array([0.1, np.nan])), "NaN or infinite"),
        (lambda c: c.encode(np.array([0.1, np.inf]), level=False), "NaN or infinite"),
        (lambda c: c.encode(np.zeros((2, 100))), "expected samples"),
        (lambda c: c.encode(np.zeros(0)), "expected samples"),
    ],
)
def test_misuse_is_told_in_a_line(codec: Codec, call, message: str) -> None:
    with pytest.raises(VqspeechError, match=message):
        call(codec)


def test_silence_encodes(codec: Codec) -> None:
    assert len(codec.encode(np.zeros(RATE // 10, np.float32))) == 25


def test_a_model_without_codes_converts_nothing(tmp_path: Path) -> None:
    without = tiny_config(name="none").model
    save_pretrained(tmp_path, VQVAE(without, 2), ("p225", "p226"), {})
    with pytest.raises(VqspeechError, match="was trained without codes"):
        vqspeech.load(tmp_path).convert(voice(100, 0.05, seed=0), "p225")
