from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.errors import VqspeechError, did_you_mean
from vqspeech.units.resynthesise import choose, resynthesise

SPEAKERS = ("x01", "x02")


class Tone:
    """Stands in for a codec: the sound of a unit is as loud as the unit, its sign is the speaker's."""

    sample_rate = 16000
    hop = 64
    streams = 64

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    def speaker_index(self, speaker: str) -> int:
        if speaker not in SPEAKERS:
            raise VqspeechError(f"no speaker {speaker!r}{did_you_mean(speaker, SPEAKERS)}")
        return SPEAKERS.index(speaker)

    def decode_batch(
        self,
        units: Sequence[np.ndarray],
        speakers: Sequence[str],
        temperature: float,
        seed: int,
        heard: Callable[[float], None],
    ) -> list[np.ndarray]:
        self.batches.append([len(entry) for entry in units])
        heard(1.0)
        signs = [1 - 2 * self.speaker_index(speaker) for speaker in speakers]
        return [
            np.repeat(sign * entry / 10, self.hop).astype(np.float32) for entry, sign in zip(units, signs, strict=True)
        ]


@pytest.fixture
def units() -> dict[str, np.ndarray]:
    return {"x01_001": np.array([1, 2, 3]), "x01_002": np.array([4]), "x02_001": np.array([5, 6])}


def heard_in(path: Path) -> list[int]:
    """The units of a wav that `Tone` made; negative in the second speaker's voice."""
    waveform, sample_rate = soundfile.read(path)
    assert sample_rate == Tone.sample_rate
    return [round(10 * level) for level in waveform[:: Tone.hop]]


def test_every_utterance_in_every_voice(tmp_path: Path, units: dict[str, np.ndarray]):
    wavs = resynthesise(Tone(), units, ["x01", "x02"], tmp_path)
    assert wavs == [tmp_path / voice / f"{id}.wav" for voice in ("x01", "x02") for id in units]
    for id in units:
        assert heard_in(tmp_path / "x01" / f"{id}.wav") == list(units[id])
        assert heard_in(tmp_path / "x02" / f"{id}.wav") == list(-units[id])


def test_source_is_the_speaker_of_each_utterance(tmp_path: Path, units: dict[str, np.ndarray]):
    resynthesise(Tone(), units, ["source"], tmp_path, {"x01_001": "x01", "x01_002": "x01", "x02_001": "x02"})
    assert heard_in(tmp_path / "source" / "x01_001.wav") == [1, 2, 3]
    assert heard_in(tmp_path / "source" / "x02_001.wav") == [-5, -6]


def test_batches_are_bounded_and_sorted_by_length(tmp_path: Path, units: dict[str, np.ndarray]):
    codec = Tone()
    codec.streams = 2
    resynthesise(codec, units, ["x01"], tmp_path)
    assert codec.batches == [[3, 2], [1]]


def test_what_exists_is_kept_unless_forced(tmp_path: Path, units: dict[str, np.ndarray], capsys: pytest.CaptureFixture):
    kept = tmp_path / "x01" / "x01_002.wav"
    kept.parent.mkdir()
    kept.write_text("kept")
    codec = Tone()
    resynthesise(codec, units, ["x01"], tmp_path)
    assert kept.read_text() == "kept"
    assert "kept 1 of 3 wavs" in capsys.readouterr().err
    assert codec.batches == [[3, 2]]
    resynthesise(codec, units, ["x01"], tmp_path, force=True)
    assert heard_in(kept) == [4]


def test_wav_scp_lists_all_runs_sorted(tmp_path: Path, units: dict[str, np.ndarray]):
    resynthesise(Tone(), {"x01_002": units["x01_002"]}, ["x02"], tmp_path)
    resynthesise(Tone(), units, ["x01"], tmp_path)
    lines = [line.split(maxsplit=1) for line in (tmp_path / "wav.scp").read_text().splitlines()]
    assert [key for key, _ in lines] == ["x01-x01_001", "x01-x01_002", "x01-x02_001", "x02-x01_002"]
    assert Path(lines[3][1]) == tmp_path / "x02" / "x01_002.wav"


@pytest.mark.parametrize(
    ("voices", "id", "says"),
    [
        (["x01", "x1"], "x01_001", "no speaker 'x1'; did you mean x01"),
        (["source"], "x09_001", "no speaker 'x09'"),
        (["source"], "x03_001", "speaker of utterance 'x03_001' is not known"),
        (["x01"], "../../x", "unsafe id"),
        (["../x"], "x01_001", "no speaker|unsafe id"),
    ],
)
def test_bad_requests_write_nothing(tmp_path: Path, voices: list[str], id: str, says: str):
    with pytest.raises(VqspeechError, match=says):
        resynthesise(Tone(), {id: np.array([1])}, voices, tmp_path / "out", {"x09_001": "x09"})
    assert list(tmp_path.iterdir()) == []


def test_choose_all_some_or_those_listed(tmp_path: Path):
    ids = [f"x{index:02}" for index in range(9, -1, -1)]
    assert choose(ids, None) == sorted(ids)
    assert choose(ids, "4") == ["x00", "x02", "x05", "x07"]
    assert choose(ids, "99") == sorted(ids)
    listed = tmp_path / "utt2spk"
    listed.write_text("x07 a\n\nx03 b\n")
    assert choose(ids, str(listed)) == ["x07", "x03"]


def test_choose_names_an_unknown_utterance(tmp_path: Path):
    listed = tmp_path / "list"
    listed.write_text("p225_01\n")
    with pytest.raises(VqspeechError, match=r"list: .*'p225_01'; did you mean p225_001"):
        choose(["p225_001", "p226_001"], str(listed))
    listed.write_bytes(b"p225_001\n\xff\xfe\n")
    with pytest.raises(VqspeechError, match=r"list:2: not UTF-8 text"):
        choose(["p225_001", "p226_001"], str(listed))
