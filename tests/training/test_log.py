from pathlib import Path

import pytest

from vqspeech.errors import VqspeechError
from vqspeech.training.log import TrainingLog, read_metrics


def test_resuming_drops_the_lines_after_the_checkpoint(tmp_path: Path) -> None:
    with TrainingLog(tmp_path, 0) as log:
        for step in (10, 20, 30):
            log.write("train", step, 0.1, {"loss": float(step)})
    with TrainingLog(tmp_path, 20) as log:
        log.write("train", 30, 0.2, {"loss": 33.0})
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(10, 10.0), (20, 20.0), (30, 33.0)]


def test_a_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"split": "dev", "step": 1}\n{"split": "de')
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"split": "dev", "step": 1}]


@pytest.mark.parametrize("line", [b"\xff", b"[" * 10**5])
def test_a_line_that_is_no_json_is_left_out(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(line + b'\n{"split": "dev", "step": 1}\n')
    assert read_metrics(tmp_path / "metrics.jsonl") == [{"split": "dev", "step": 1}]


@pytest.mark.parametrize("line", [b"3", b"[]", b'{"split": "dev"}', b'{"split": 1, "step": 1}'])
def test_a_line_of_no_training_log_is_named(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(b'{"split": "dev", "step": 1}\n' + line + b"\n")
    with pytest.raises(VqspeechError, match=r"metrics\.jsonl is damaged: line 2"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_tensorboard_reads_the_scalars_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TrainingLog(tmp_path, 0) as log:
        log.write("dev", 5, 0.1, {"bits_true": 3.5})
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("dev/bits_true")] == [(5, 3.5)]


def test_a_log_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("all of it")
    (tmp_path / "train").mkdir()
    (tmp_path / "train/metrics.jsonl").symlink_to(tmp_path / "precious")
    with pytest.raises(VqspeechError, match="is a link"):
        TrainingLog(tmp_path / "train", 3)
    assert (tmp_path / "precious").read_text() == "all of it"
