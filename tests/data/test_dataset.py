import errno
from io import BufferedReader
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.speech import RATE, make_data_dir
from vqspeech.archive import Content
from vqspeech.config import TrainingConfig
from vqspeech.data import shards
from vqspeech.data.dataset import Crops, batches, held_out_crops, speaker_table
from vqspeech.data.kaldi import DataDir, read_data_dir
from vqspeech.data.phones import UNKNOWN, PhoneTargets
from vqspeech.errors import VqspeechError


def sharded(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """The same data dir over three shards of two utterances each."""
    monkeypatch.setattr(shards, "SHARD_BYTES", 1025 + max(path.stat().st_size for path in data.wavs.values()))
    folder = data.path.parent
    shards.write_shards(data, folder / "shards", folder / "sharded")
    assert len(list((folder / "shards").iterdir())) == 3
    return read_data_dir(folder / "sharded")


def crops_of(data: DataDir, speakers: tuple[str, ...], phones: PhoneTargets | None = None, **settings: object) -> Crops:
    return Crops(data, speakers, TrainingConfig(**settings), RATE, phones)


@pytest.fixture
def crops(tmp_path: Path) -> Crops:
    data = make_data_dir(tmp_path / "train")
    return crops_of(data, speaker_table(data), crop=1280, batch_size=4, max_steps=5)


def test_a_crop_is_a_stretch_of_an_utterance_of_its_speaker(crops: Crops) -> None:
    batch = crops[3]
    assert batch.waveform.shape == (4, 1280)
    assert batch.length.tolist() == [1280] * 4
    for waveform, row in zip(batch.waveform.numpy(), batch.speaker.tolist(), strict=True):
        own = [id for id in crops.ids if crops.data.utt2spk[id] == ("a", "b")[row]]
        windows = (
            np.lib.stride_tricks.sliding_window_view(soundfile.read(crops.data.wavs[id], dtype="float32")[0], 1280)
            for id in own
        )
        assert any((window == waveform).all(1).any() for window in windows)


def test_a_step_has_the_same_batch_whenever_and_however_it_is_read(crops: Crops) -> None:
    later = list(batches(crops, first=2, workers=0))
    ahead = list(batches(crops, first=2, workers=1))
    assert len(later) == 3
    for step, (one, other) in enumerate(zip(later, ahead, strict=True), 2):
        assert torch.equal(one.waveform, crops[step].waveform)
        assert torch.equal(one.waveform, other.waveform)
    assert not torch.equal(crops[0].waveform, crops[1].waveform)


@pytest.mark.parametrize("workers", [0, 1])
def test_shards_give_the_batches_of_files(crops: Crops, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    data = sharded(crops.data, monkeypatch)
    from_shards = crops_of(data, speaker_table(data), crop=1280, batch_size=4, max_steps=5)
    found = list(batches(from_shards, first=1, workers=workers))
    assert len(found) == 4
    for step, batch in enumerate(found, 1):
        assert all(torch.equal(one, other) for one, other in zip(batch, crops[step], strict=True))
    held_out = (held_out_crops(dir, ("a", "b"), 1600, RATE, 0.4) for dir in (data, crops.data))
    assert torch.equal(*(batch.waveform for batch in held_out))


def cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-3000])


def overwrite(shard: Path) -> None:
    content = bytearray(shard.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    shard.write_bytes(content)


def exchange(shard: Path) -> None:
    shard.write_bytes(shard.with_name("000000.tar").read_bytes())


@pytest.mark.parametrize("harm", [cut, overwrite, exchange, Path.unlink])
def test_a_damaged_shard_is_named(crops: Crops, monkeypatch: pytest.MonkeyPatch, harm) -> None:
    data = sharded(crops.data, monkeypatch)
    shard = data.path.parent / "shards/000001.tar"
    harm(shard)
    damaged = crops_of(data, speaker_table(data), crop=6400, batch_size=40)
    with pytest.raises(VqspeechError, match=rf"{shard}:\d+"):
        damaged[0]


def test_a_disk_that_fails_amid_a_recording_is_told(crops: Crops, monkeypatch: pytest.MonkeyPatch) -> None:
    # With FLAC libsndfile itself finds out; of WAV it would quietly return what there is.
    for id, path in crops.data.wavs.items():
        crops.data.wavs[id] = path.with_suffix(".wav")
        soundfile.write(crops.data.wavs[id], soundfile.read(path)[0], RATE)
    data = sharded(crops.data, monkeypatch)
    opened = Content.__init__

    def failing(content: Content, file: BufferedReader, start: int, size: int, name: str) -> None:
        disk = Failing(file.detach())
        disk.whole = start + size // 2
        opened(content, disk, start, size, name)

    monkeypatch.setattr(Content, "__init__", failing)
    failed = crops_of(data, speaker_table(data), crop=9600, batch_size=1)
    with pytest.raises(VqspeechError, match=r"[ab]_00\d: .*/00000\d\.tar:\d+ is damaged or truncated: \d+ of 9600"):
        failed[0]


class Failing(BufferedReader):
    """A file on a disk that cannot be read from a certain byte on."""

    whole: int

    def readinto(self, buffer: memoryview) -> int:
        if self.tell() >= self.whole:
            raise OSError(errno.EIO, "Input/output error")
        return super().readinto(buffer)


def test_ranks_share_one_batch(crops: Crops) -> None:
    parts = [crops.share(rank, 2)[1].waveform for rank in range(2)]
    assert torch.equal(torch.cat(parts), crops[1].waveform)
    with pytest.raises(VqspeechError, match="3 devices"):
        crops.share(0, 3)


def test_longer_utterances_are_drawn_more_often(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a",), utterances=2, seconds=0.3)
    for id, sign, samples in (("a_000", 1, 9000), ("a_001", -1, 3000)):
        soundfile.write(data.wavs[id], np.full(samples, sign * 0.5), RATE)
        data.utt2dur[id] = samples / RATE
    crops = crops_of(data, ("a",), crop=64, batch_size=400)
    drawn = (crops[0].waveform[:, 0] > 0).float().mean()
    assert drawn == pytest.approx(0.75, abs=0.07)


def test_a_short_utterance_is_padded_and_its_length_told(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", utterances=1, seconds=0.1)
    batch = crops_of(data, ("a", "b"), crop=3200, batch_size=2)[0]
    assert batch.length.tolist() == [1600, 1600]
    assert not batch.waveform[:, 1600:].any()


def test_the_encoder_hears_another_pitch_where_that_is_asked_for(tmp_path: Path, crops: Crops) -> None:
    batch = crops[1]
    assert torch.equal(batch.heard, batch.waveform)
    shifted = crops_of(crops.data, ("a", "b"), crop=1280, batch_size=4, max_steps=5, pitch_shift=4.0)[1]
    assert torch.equal(shifted.waveform, batch.waveform)
    assert (shifted.heard - batch.waveform).abs().amax(1).min() > 0.01
    again = crops_of(crops.data, ("a", "b"), crop=1280, batch_size=4, max_steps=5, pitch_shift=4.0)[1]
    assert torch.equal(shifted.heard, again.heard)


def test_held_out_crops_are_of_different_utterances_of_known_speakers(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "dev", speakers=("a", "b", "z"))
    batch = held_out_crops(data, ("a", "b"), crop=1600, sample_rate=RATE, seconds=0.4)
    assert batch.waveform.shape == (4, 1600)
    assert len({tuple(row) for row in batch.waveform.tolist()}) == 4
    assert set(batch.speaker.tolist()) == {0, 1}


def test_a_lone_held_out_utterance_gives_both_its_ends(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "dev", speakers=("a",), utterances=1)
    batch = held_out_crops(data, ("a",), crop=1600, sample_rate=RATE, seconds=1)
    whole = torch.from_numpy(soundfile.read(data.wavs["a_000"], dtype="float32")[0])
    assert torch.equal(batch.waveform[0], whole[:1600])
    assert not torch.equal(batch.waveform[0], batch.waveform[1])
    with pytest.raises(VqspeechError, match="no utterance of the model's speakers"):
        held_out_crops(data, ("b",), crop=1600, sample_rate=RATE, seconds=1)


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda file: file.unlink(), "a_000"),
        (lambda file: file.write_bytes(b"no audio"), "a_000"),
        (lambda file: soundfile.write(file, np.zeros(900), 8000), "8000 Hz, but the model takes 16000"),
    ],
)
def test_an_unreadable_utterance_is_named(tmp_path: Path, harm, message: str) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a",), utterances=1)
    harm(data.wavs["a_000"])
    with pytest.raises(VqspeechError, match=message):
        crops_of(data, ("a",), crop=64, batch_size=1)[0]


def test_voices_get_their_share_each_as_much(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a", "b", "c", "d"), utterances=1, seconds=0.3)
    durations = {"a": 9000, "b": 1000, "c": 3000, "d": 1000}
    for i, (speaker, samples) in enumerate(durations.items()):
        soundfile.write(data.wavs[f"{speaker}_000"], np.full(samples, 0.1 * (i + 1)), RATE)
        data.utt2dur[f"{speaker}_000"] = samples / RATE
    crops = crops_of(data, tuple("abcd"), crop=64, batch_size=2000, voices=("a", "b"), voices_share=0.6)
    shares = np.bincount(crops[0].speaker, minlength=4) / 2000
    # Of the rest, three quarters go to c, who has three quarters of its speech.
    assert shares == pytest.approx([0.3, 0.3, 0.3, 0.1], abs=0.04)
    with pytest.raises(VqspeechError, match="no speech of z"):
        crops_of(data, tuple("abcd"), crop=64, batch_size=1, voices=("z",))


def test_crops_for_phones_alone_are_of_all_the_speech_and_heard_last(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a", "b"), utterances=1, seconds=0.3)
    for speaker, sign in (("a", 1), ("b", -1)):
        soundfile.write(data.wavs[f"{speaker}_000"], np.full(4800, 0.5 * sign), RATE)
        path = tmp_path / f"{speaker}.phn"
        path.write_text(f"0.0 0.3 {speaker}\n")
        data.labels[f"{speaker}_000"] = path
    phones = PhoneTargets(data, hop=64, sample_rate=RATE)
    settings = {"voices": ("a",), "voices_share": 1.0, "phones": phones, "phone_weight": 1.0, "phone_crops": 600}
    crops = crops_of(data, ("a", "b"), crop=64, batch_size=4, **settings)
    batch = crops[0]
    assert (batch.waveform > 0).all() and batch.waveform.shape == (4, 64)
    assert torch.equal(batch.heard[:4], batch.waveform) and batch.heard.shape == (604, 64)
    # Class 0 is a, whose speech is positive; both are heard as much.
    assert torch.equal(batch.phones[:, 0] == 0, batch.heard[:, 0] > 0)
    assert batch.phones[4:].float().mean() == pytest.approx(0.5, abs=0.06)
    halves = [crops.share(rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.cat([half.heard[2:] for half in halves]), batch.heard[4:])
    with pytest.raises(VqspeechError, match="phone_crops 600 cannot be shared among 7"):
        crops_of(data, ("a", "b"), crop=64, batch_size=7, **settings).share(0, 7)


def test_crops_come_with_the_phones_of_their_frames(tmp_path: Path) -> None:
    data = make_data_dir(tmp_path / "train", speakers=("a",), utterances=2, seconds=0.3)
    # 0.1 s were trimmed from the start; the second utterance has no labels.
    path = tmp_path / "a_000.phn"
    path.write_text("0.1 0.2 pau\n0.2 0.3 AA\n0.35 0.40 S\n")
    data.labels["a_000"], data.utt2offset["a_000"] = path, 0.1
    phones = PhoneTargets(data, hop=160, sample_rate=RATE)
    assert phones.names == ("AA", "S", "sil")
    expected = [2] * 10 + [0] * 10 + [UNKNOWN] * 5 + [1] * 5
    assert phones.of("a_000", 0, 4800).tolist() == expected
    # Longer than the recording, from its 17th frame on.
    assert phones.of("a_000", 16 * 160, 20 * 160).tolist() == expected[16:] + [UNKNOWN] * 6
    assert set(phones.of("a_001", 0, 4800).tolist()) == {UNKNOWN}

    batch = crops_of(data, ("a",), crop=800, batch_size=8, phones=phones)[0]
    whole = {id: soundfile.read(wav, dtype="float32")[0] for id, wav in data.wavs.items()}
    for waveform, classes in zip(batch.waveform.numpy(), batch.phones, strict=True):
        for id, samples in whole.items():
            windows = np.lib.stride_tricks.sliding_window_view(samples, 800)
            for start in np.flatnonzero((windows == waveform).all(1)):
                assert torch.equal(classes, torch.from_numpy(phones.of(id, int(start), 800)))
    assert (batch.phones != UNKNOWN).any()
    del data.labels["a_000"]
    with pytest.raises(VqspeechError, match="vqspeech-align"):
        PhoneTargets(data, hop=160, sample_rate=RATE)
