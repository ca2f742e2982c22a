"""Kill work at random moments, do it again, and compare every byte with work that nobody disturbed.

    python tests/soak/soak.py [--minutes 20] [--kills 50] [--seed 0] [--faults 'training; units; recipe']

Faults: SIGKILL in the midst of training, of saving (a checkpoint and a model after every step), of preparation, of unit
extraction, of decoding, of conversion; SIGTERM in the midst of training. `recipe` kills the whole recipe, at any stage,
and takes minutes a kill. After each kill the same command has to finish, and the model, its checkpoints, units and wavs
have to be those of an undisturbed run, on one thread of a CPU. Prints a line a fault: tried, survived, lost; what was
lost is left to look at, with exit code 1.
"""

import argparse
import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402 (threads are set first)
import torch  # noqa: E402
import yaml  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from tests.conftest import TINY  # noqa: E402
from tests.speech import RATE, make_data_dir, voice  # noqa: E402
from tests.tiny import save_tiny_model, tiny_config  # noqa: E402
from vqspeech import audio  # noqa: E402
from vqspeech.settings import to_dict  # noqa: E402
from vqspeech.training.checkpoint import newest_state  # noqa: E402
from vqspeech.units import extract  # noqa: E402

SPEAKERS = ("x01", "x02")
TRAIN = "train --config {config}.yaml --train data --dev data --out out --accelerator cpu --resume"


@dataclass(frozen=True)
class Fault:
    """What is disturbed, and how."""

    command: str
    """`vqspeech-` left out."""
    results: tuple[str, ...]
    """Files that have to come out the same, as patterns."""
    by: signal.Signals = signal.SIGKILL


FAULTS = {
    "training": Fault(TRAIN.format(config="training"), ("out/*.safetensors",)),
    "saving": Fault(TRAIN.format(config="saving"), ("out/*.safetensors",)),
    "training, by SIGTERM": Fault(TRAIN.format(config="training"), ("out/*.safetensors",), signal.SIGTERM),
    "preparation": Fault("prepare --corpus corpus --data made --dump dump", ("made/*/*", "made/*", "dump/*/*")),
    "units": Fault("units --model model --data data --out units --force", ("units/*",)),
    "decoding": Fault("decode --model model --units units-in --speaker x01,x02 --out wavs", ("wavs/*/*", "wavs/*")),
    "conversion": Fault("convert --model model --src long.wav --speaker x01 --out a.wav --force", ("a.wav",)),
}


def make_inputs(folder: Path) -> None:
    """What the commands work on."""
    make_data_dir(folder / "data", SPEAKERS, utterances=20)
    for speaker in SPEAKERS:
        for number in range(20):
            audio.write(folder / f"corpus/{speaker}/{number}.wav", voice(120, 0.5, number), RATE)
    audio.write(folder / "long.wav", np.concatenate([voice(120, 2.0, seed) for seed in range(3)]), RATE)
    save_tiny_model(folder / "model", SPEAKERS)
    for name, eval_every in (("training", 10), ("saving", 1)):
        config = to_dict(tiny_config())
        config["training"] |= {"max_steps": 40, "eval_every": eval_every, "log_every": 10}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    assert run("units --model model --data data --out units-in", folder) == 0


def start(command: str, folder: Path) -> int:
    """Begin a command in a process of its own, which has all imports behind it; return its id."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    name, *arguments = command.split()
    sys.argv = [f"vqspeech-{name}", *arguments]
    try:
        importlib.import_module(f"vqspeech.cli.{name}").main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    os._exit(1)


def run(command: str, folder: Path) -> int:
    """Run a command to its end; return its exit code."""
    _, status = os.waitpid(start(command, folder), 0)
    return os.waitstatus_to_exitcode(status)


def results(folder: Path, fault: Fault) -> dict[str, bytes]:
    """The bytes that have to be the same, by name; of checkpoints the tensors alone, since they hold times too."""
    files = {path for pattern in fault.results for path in folder.glob(pattern) if path.is_file()}
    found = {str(path.relative_to(folder)): path.read_bytes() for path in files if not path.name.startswith(".")}
    state = newest_state(folder / "out/train")
    if state is not None:
        tensors = load_file(state)
        found |= {name: tensors[name].reshape(-1).view(torch.uint8).numpy().tobytes() for name in tensors}
    return found


def trials(fault: Fault, work: Path, draw: random.Random) -> Iterator[bool]:
    """Disturb a command once a trial, without end; tell whether what came of it was as undisturbed."""
    inputs, place = work / "inputs", work / "trial"  # one place for all, since some results tell where they lie
    shutil.copytree(inputs, place)
    began = time.monotonic()
    assert run(fault.command, place) == 0, (place / "log").read_text()
    seconds = time.monotonic() - began
    wanted = results(place, fault)
    assert wanted
    while True:
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(inputs, place)
        process = start(fault.command, place)
        time.sleep(draw.uniform(0, seconds))
        os.killpg(process, fault.by)
        _, status = os.waitpid(process, 0)
        # A command that had ended by then was not disturbed.
        if os.waitstatus_to_exitcode(status) != (143 if fault.by == signal.SIGTERM else -fault.by):
            continue
        survived = run(fault.command, place) == 0 and results(place, fault) == wanted
        if not survived:
            place.rename(work / f"lost-{time.time_ns()}")
        yield survived


def recipe_trials(work: Path, draw: random.Random) -> Iterator[bool]:
    """Disturb the whole recipe, tiny."""
    made = shutil.ignore_patterns("data", "dump", "exp", "downloads", "__pycache__")
    environment = os.environ | TINY | {"PYTHONPATH": str(ROOT)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def begin(place: Path) -> subprocess.Popen:
        log = (place / "log").open("a")
        command = ["bash", "recipes/vctk/run.sh"]
        return subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True)

    def clone(place: Path) -> Path:
        shutil.rmtree(place, ignore_errors=True)
        for name in ("recipes", "egs"):
            shutil.copytree(ROOT / name, place / name, ignore=made)
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, place)
        return place

    def outcome(place: Path) -> dict[str, bytes]:
        exp = place / "recipes/vctk/exp"
        kinds = ("*/*.safetensors", "*/units/*/units.txt", "*/wav/**/*.wav")
        return {str(path.relative_to(exp)): path.read_bytes() for kind in kinds for path in exp.glob(kind)}

    began = time.monotonic()
    whole = clone(work / "whole")
    assert begin(whole).wait() == 0, (whole / "log").read_text()
    seconds = time.monotonic() - began
    wanted = outcome(whole)
    assert wanted
    while True:
        place = clone(work / "trial")
        process = begin(place)
        time.sleep(draw.uniform(0, seconds))
        os.killpg(process.pid, signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            continue
        survived = begin(place).wait() == 0 and outcome(place) == wanted
        if not survived:
            place.rename(work / f"lost-{time.time_ns()}")
        yield survived


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="for all faults together (default: 20)")
    parser.add_argument("--kills", type=int, default=50, help="of each fault, at most (default: 50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--faults", default="; ".join(FAULTS), help="which, parted by ';'; recipe is one more")
    options = parser.parse_args()
    wanted = [name.strip() for name in options.faults.split(";")]
    torch.set_num_threads(1)
    extract.SHARD_UTTERANCES = 5  # so that kills leave some of them behind
    work = Path(tempfile.mkdtemp(prefix="vqspeech-soak-"))
    kinds: dict[str, Callable[[Path, random.Random], Iterator[bool]]] = {
        name: lambda place, draw, fault=fault: trials(fault, place, draw) for name, fault in FAULTS.items()
    } | {"recipe": recipe_trials}
    (work / "inputs").mkdir()
    make_inputs(work / "inputs")
    lost, began = 0, time.monotonic()
    for number, name in enumerate(wanted, 1):
        # Each fault has its share of the time, and what those before it left over.
        deadline = began + 60 * options.minutes * number / len(wanted)
        place = work / name.replace(" ", "-")
        place.mkdir()
        (place / "inputs").symlink_to(work / "inputs")
        outcomes: list[bool] = []
        for survived in kinds[name](place, random.Random(f"{options.seed} {name}")):
            outcomes.append(survived)
            if len(outcomes) == options.kills or time.monotonic() > deadline:
                break
        lost += outcomes.count(False)
        print(f"{name}: tried {len(outcomes)}, survived {sum(outcomes)}, lost {outcomes.count(False)}", flush=True)
    if lost:
        print(f"what was lost is in {work}/*/lost-*", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
