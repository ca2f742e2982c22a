import io
import sys

import pytest

from vqspeech import progress as module
from vqspeech.progress import meter, progress, say


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_plain_lines_at_the_start_and_the_end(capsys: pytest.CaptureFixture):
    assert list(progress("abc", "encode", unit="utt")) == ["a", "b", "c"]
    captured = capsys.readouterr()
    first, last = captured.err.splitlines()
    assert first == "encode: 0/3 utt"
    assert last.startswith("encode: 3/3 utt in ")
    assert captured.out == ""


def test_a_log_gets_a_line_at_most_every_ten_seconds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    list(progress(iter("abcdefg"), "encode"))
    assert capsys.readouterr().err.splitlines() == [
        "encode: 0 it",
        "encode: 3 it, 0.25 it/s",
        "encode: 6 it, 0.25 it/s",
        "encode: 7 it in 32.0 s",
    ]


def test_of_audio_the_real_time_factor_and_the_time_left_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    seconds = iter((0, 15, 30))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    with meter("convert", 120, "s of audio", real_time=True) as show:
        show(60)
    assert capsys.readouterr().err.splitlines() == [
        "convert: 0/120 s of audio",
        "convert: 60/120 s of audio, real-time factor 0.25, 15 s left",
        "convert: 60/120 s of audio in 30.0 s, real-time factor 0.50",
    ]
    terminal = Terminal()
    monkeypatch.setattr(module.time, "monotonic", iter(range(100)).__next__)
    monkeypatch.setattr(sys, "stderr", terminal)
    with meter("convert", 4, "s of audio", real_time=True) as show:
        show(4)
    assert "real-time factor 0.25" in terminal.getvalue()


def test_a_terminal_gets_a_bar_and_messages_above_it(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in progress(iter("abc"), "encode", total=3, unit="utt"):
        say("hello")
    assert "100%" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
    assert terminal.getvalue().count("hello\n") == 3


def test_a_meter_is_told_how_much_is_done(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    with meter("convert", 30, "s") as show:
        show(10)
        show(30)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "convert: 0/30 s"
    assert lines[1].startswith("convert: 30/30 s in ")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with meter("convert", 30, "s") as show:
        show(10)
        show(30)
    assert "30/30" in terminal.getvalue()


def test_a_meter_ends_silently_when_the_work_fails(capsys: pytest.CaptureFixture):
    with pytest.raises(ValueError), meter("convert", 30, "s"):
        raise ValueError
    assert capsys.readouterr().err == "convert: 0/30 s\n"


def test_say_goes_to_stderr(capsys: pytest.CaptureFixture):
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
