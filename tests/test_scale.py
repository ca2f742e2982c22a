"""The generator of large data dirs makes valid ones, and its table says what was measured."""

from pathlib import Path

from egs.benchmarks.scale import RATE, markdown, measurements, write_looped, write_recordings
from vqspeech import audio
from vqspeech.data.kaldi import read_data_dir, validate_data_dir


def test_utterances_are_looped_over_few_files(tmp_path: Path) -> None:
    files = write_recordings(tmp_path / "wav", 3, 0.2)
    data = read_data_dir(write_looped(tmp_path / "data", files, 1200, 0.2))
    validate_data_dir(data.path)
    assert len(data.wavs) == 1200 and len(data.speakers) == 12
    assert set(data.wavs.values()) == set(files)
    texts = list(data.texts.values())
    assert len(set(texts)) == 1200 * 9 // 10 + 1000 // 10
    assert audio.duration(files[0]) == 0.2 and audio.read(files[0], RATE).any()


def test_a_stage_is_measured_as_a_command_of_its_own(tmp_path: Path) -> None:
    (row,) = measurements(tmp_path, [50], ["validate"], None)
    assert (row["stage"], row["utterances"]) == ("validate", 50)
    assert row["processor"] > 0 and 5 < row["mebibytes"] < 2000


def test_the_slope_is_that_of_processor_time() -> None:
    def row(size: int, processor: float, memory: float) -> dict[str, object]:
        return {"stage": "split", "utterances": size, "processor": processor, "mebibytes": memory}

    crop = {"place": "shards", "recording": 4, "processor": 0.0005, "reads": 7.0, "bytes": 40960.0}
    alone = {**row(10**3, 0.5, 50.0), "stage": "validate"}
    lines = markdown([row(10**4, 32.0, 109.0), alone, row(10**3, 1.0, 100.0), crop]).splitlines()
    assert lines[0] == "| stage | 1,000 | 10,000 | slope | bytes an utterance |"
    assert lines[2] == "| validate | 0.5 s, 50 MiB |  |  |  |"
    assert lines[3] == "| split | 1.0 s, 100 MiB | 32.0 s, 109 MiB | 1.51 | 1,049 |"
    assert lines[-1] == "| shards, recordings of 4 s | 0.50 | 7.0 | 40 |"
