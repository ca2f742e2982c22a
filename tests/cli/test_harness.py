"""The harness on toy commands: what is parsed, what is said, and with which exit code it ends."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from vqspeech import __version__
from vqspeech.cli import harness
from vqspeech.errors import UsageError, VqspeechError
from vqspeech.files import atomic_write


def greet(
    *,
    name: str,
    src: Path = Path("a.wav"),
    times: int | None = None,
    loudness: float = 1.0,
    skip_bad: bool = False,
    force: bool = False,
    tone: Literal["low", "high"] = "low",
) -> None:
    """Greet somebody.

    In a tone
    of choice.

    Args:
        name: whom to greet
        src: a recording
        times: how often
        loudness: in dB
        skip_bad: go on
        force: say it anyway
        tone: pitch

    Example:
        vqspeech-greet --name Zoë
        vqspeech-greet --name x01 --times 3
    """
    print(f"hello {name}")


@dataclass(frozen=True)
class Inner:
    """What is inside."""

    codes: tuple[int, ...] = (1, 2)
    """The codes."""
    use_ema: bool = True
    """Whether to average."""


@dataclass(frozen=True)
class Settings:
    """All of it."""

    inner: Inner = field(default_factory=Inner)


def configure(*, out: Path, **settings: str) -> None:
    """Configure.

    Args:
        out: where to
    """


def ends(
    command: Callable[..., None],
    arguments: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    settings: type | None = None,
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", ["ignored", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        harness.run(command, settings)
    captured = capfd.readouterr()
    return ended.value.code, captured.out, captured.err


def failing(error: BaseException) -> Callable[[], None]:
    def work() -> None:
        """Fail."""
        raise error

    return work


def test_types_come_from_the_signature():
    values = harness.parse(
        greet,
        [
            "--name=007",
            "--src",
            "x/b.wav",
            "--times",
            "3",
            "--loudness",
            "2",
            "--skip-bad",
            "-f",
            "--tone=high",
        ],
    )
    assert values == {
        "name": "007",
        "src": Path("x/b.wav"),
        "times": 3,
        "loudness": 2.0,
        "skip_bad": True,
        "force": True,
        "tone": "high",
    }
    assert isinstance(values["src"], Path) and isinstance(values["loudness"], float)


def test_defaults_come_from_the_signature():
    values = harness.parse(greet, ["--name=x"])
    assert values["src"] == Path("a.wav")
    assert (values["times"], values["loudness"], values["skip_bad"], values["force"]) == (
        None,
        1.0,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--nane x", "unknown flag --nane; did you mean --name, --tone?"),
        ("--nam x", "unknown flag --nam; did you mean --name?"),
        ("--name x --skip_bad", "unknown flag --skip_bad; did you mean --skip-bad?"),
        ("--name x --xyzzy=3", "unknown flag --xyzzy (see"),
        ("--name x -y", "unrecognized arguments: -y"),
        ("--name x y", "unrecognized arguments: y"),
        ("", "missing --name"),
        ("--name", "--name: expected one argument"),
        ("--name x --times 1.5", "--times: '1.5' is not a whole number"),
        ("--name x --loudness loud", "--loudness: 'loud' is not a number"),
        ("--name x --tone mid", "--tone: 'mid' is not one of 'low', 'high'"),
    ],
)
def test_a_bad_command_line_is_one_line_and_exit_2(
    arguments: str, says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    code, out, err = ends(greet, arguments, monkeypatch, capfd)
    assert (code, out) == (2, "")
    assert err.startswith("vqspeech-greet: error: ")
    assert says in err
    assert err.count("\n") == 1


def visit(place: Path, *, often: int = 1) -> None:
    """Visit.

    Args:
        place: where to
        often: how many times
    """


def test_a_parameter_by_its_place_needs_no_flag(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    assert harness.parse(visit, ["x/y", "--often", "3"]) == {"place": Path("x/y"), "often": 3}
    assert ends(visit, "--often 3", monkeypatch, capfd)[2].startswith("vqspeech-visit: error: missing PLACE (see ")
    assert ends(visit, "--help", monkeypatch, capfd)[1].startswith("usage: vqspeech-visit PLACE [options]\n")


def test_results_go_to_stdout(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    assert ends(greet, "--name x01", monkeypatch, capfd) == (0, "hello x01\n", "")


def test_version(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    assert ends(greet, "--version", monkeypatch, capfd) == (0, f"vqspeech-greet {__version__}\n", "")


def test_help_shows_description_flags_defaults_and_examples(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    code, out, err = ends(greet, "--help", monkeypatch, capfd)
    assert (code, err) == (0, "")
    assert out.startswith("usage: vqspeech-greet --name NAME [options]\n\nGreet somebody.\n\nIn a tone\nof choice.\n")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "--name NAME whom to greet (required)" in lines
    assert "--loudness LOUDNESS in dB (default: 1.0)" in " ".join(lines)
    assert "--times TIMES how often" in lines
    assert "--skip-bad go on" in lines
    assert "-f, --force say it anyway" in lines
    assert out.endswith("example:\n  vqspeech-greet --name Zoë\n  vqspeech-greet --name x01 --times 3\n")


def test_settings_are_dotted_flags_kept_as_text():
    arguments = ["--out", "x", "--inner.codes", "[1,2]", "--inner.use_ema", "false"]
    assert harness.parse(configure, arguments, Settings) == {
        "out": Path("x"),
        "inner.codes": "[1,2]",
        "inner.use_ema": "false",
    }


def test_help_lists_every_setting_with_its_docstring_and_default(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    _, out, _ = ends(configure, "--help", monkeypatch, capfd, Settings)
    words = " ".join(out.split())
    assert "What is inside:" in words
    assert "--inner.codes CODES The codes. (default: [1, 2])" in words
    assert "--inner.use_ema USE_EMA Whether to average. (default: true)" in words


def test_an_unknown_setting_names_the_near_one(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    code, _, err = ends(configure, "--out x --inner.use_emma true", monkeypatch, capfd, Settings)
    assert code == 2
    assert "unknown flag --inner.use_emma; did you mean --inner.use_ema" in err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (VqspeechError("a.wav is\nempty"), 1, "error: a.wav is empty"),
        (UsageError("give --src"), 2, "error: give --src"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "x/b.wav"),
            1,
            "error: x/b.wav: No space left on device",
        ),
        (
            PermissionError(errno.EACCES, os.strerror(errno.EACCES), "b.wav"),
            1,
            "error: b.wav: Permission denied",
        ),
        (MemoryError(), 1, "error: out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, "error: out of memory"),
        (RuntimeError("a\nb"), 1, "error: RuntimeError: a b (run with VQSPEECH_DEBUG=1 for the traceback)"),
        (BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)), 1, "error: Broken pipe"),
        (KeyboardInterrupt(), 130, "vqspeech-work: interrupted"),
    ],
)
def test_every_failure_is_one_line(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    monkeypatch.delenv("VQSPEECH_DEBUG", raising=False)
    ended, out, err = ends(failing(error), "", monkeypatch, capfd)
    assert (ended, out) == (code, "")
    assert err.startswith("vqspeech-work: ")
    assert says in err
    assert err.count("\n") == 1


def test_the_traceback_is_there_for_who_asks(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture):
    monkeypatch.setenv("VQSPEECH_DEBUG", "1")
    code, _, err = ends(failing(RuntimeError("boom")), "", monkeypatch, capfd)
    assert code == 1
    assert err.startswith("Traceback")
    assert "error: RuntimeError: boom" in err.splitlines()[-1]


def test_termination_removes_what_is_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    def work() -> None:
        """Work."""
        with atomic_write(tmp_path / "out.txt") as file:
            file.write("half")
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    assert ends(work, "", monkeypatch, capfd) == (
        143,
        "",
        "vqspeech-work: terminated; the same command, queued again, does the rest\n",
    )
    signal.signal(signal.SIGTERM, before)
    assert not any(tmp_path.iterdir())


def test_a_reader_that_leaves_early_is_no_error():
    script = (
        "from vqspeech.cli.harness import run\n"
        "def talk():\n"
        "    '''Talk.'''\n"
        "    for _ in range(100_000): print('hello')\n"
        "run(talk)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "hello\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141


def test_ctrl_c_during_the_imports_ends_quietly() -> None:
    script = (
        "import sys\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'jsonargparse':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['bin/vqspeech-units']\n"
        "from vqspeech.cli.units import main\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "vqspeech-units: interrupted\n")
