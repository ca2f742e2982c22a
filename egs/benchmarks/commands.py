"""What a command costs from its start to its end: seconds and peak memory, and where a conversion spends them."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contest import Result

COMMANDS = ("prepare", "train", "units", "decode", "convert", "evaluate")
STAGES = """
import sys, time
start = time.perf_counter()
def lap(name):
    global start
    now = time.perf_counter()
    print(name, now - start)
    start = now
import vqspeech
from vqspeech import audio, codec
lap("import")
model = vqspeech.load(sys.argv[1])
lap("load")
waveform = audio.read(sys.argv[2], model.sample_rate)
units = model.encode(waveform)
lap("encode")
model.decode(units, model.speakers[0])
lap("sample")
"""

MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def results(model: Path, recording: Path, rounds: int) -> list[Result]:
    """Start-up of every command, one whole conversion, and its parts."""
    found = []
    for command in COMMANDS:
        runs = [measure([sys.executable, "-m", f"vqspeech.cli.{command}", "--help"]) for _ in range(rounds)]
        found.append(_result("start-up: --help", f"vqspeech-{command}", runs))
    with tempfile.TemporaryDirectory() as folder:
        convert = [sys.executable, "-m", "vqspeech.cli.convert", "--model", str(model), "--src", str(recording)]
        voice = subprocess.run([*convert[:5], "--list-speakers"], capture_output=True, text=True, check=True)
        convert += ["--speaker", voice.stdout.split()[0], "--out", f"{folder}/out.wav", "--force"]
        measure(convert)
        runs = [measure(convert) for _ in range(rounds)]
        found.append(_result(f"conversion of {recording.name}, from command to file", "vqspeech-convert", runs))
    done = subprocess.run(
        [sys.executable, "-c", STAGES, str(model), str(recording)], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        name, seconds = line.split()
        found.append(Result("conversion, its parts", name, "s", *[float(seconds)] * 3))
    return found


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds of wall-clock time and peak resident MiB of a command."""
    start = time.perf_counter()
    # From a small process, since a child counts the memory of its parent, from before it became another program.
    done = subprocess.run([sys.executable, "-S", "-c", MEASURED, *command], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, float(done.stdout.splitlines()[-1]) / 1024


def _result(contest: str, name: str, runs: list[tuple[float, float]]) -> Result:
    seconds = sorted(run[0] for run in runs)
    memory = max(run[1] for run in runs)
    return Result(contest, name, "s", seconds[len(seconds) // 2], seconds[0], seconds[-1], f"{memory:.0f} MiB at most")
