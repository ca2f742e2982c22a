"""The recipe on a real Slurm of two nodes, whose jobs and nodes are killed, and what comes of it.

    python tests/slurm/soak.py [--seed 0] [--faults 'preparation killed; training killed; units killed']

Prints a line a fault: tried, survived, lost. Survived is what ended well and, of the recipe's stages, with every byte
of work that nobody disturbed, on one thread of a CPU. Exit code 1 when anything was lost; its folder is then left.
Needs root, and Slurm: tests/slurm/cluster.sh install.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.slurm.cluster import Cluster, cluster, missing, text, wait_for, wait_for_two  # noqa: E402 (found by now)
from tests.soak.soak import run  # noqa: E402
from tests.speech import RATE, voice  # noqa: E402
from vqspeech import audio  # noqa: E402
from vqspeech.training.log import read_metrics  # noqa: E402

SLOW = 1800.0  # seconds for a stage
TRAIN = (
    "--model.bottleneck.start_steps 2 --model.decoder.layers 2 --training.batch_size 4 --training.precision 32-true "
    "--training.max_steps 15 --training.eval_every 3 --training.log_every 1 --training.eval_seconds 2"
)


def jobs_go_on(slurm: Cluster, logs: Path, fault: Callable[[], object], saved: bool) -> bool:
    """Disturb two jobs; tell whether both ran again, and were given the time to save."""
    job = slurm.two_jobs(logs)
    wait_for_two(logs)
    fault()
    job.communicate()
    found = text(logs)
    return job.returncode == 0 and found.count("\npart ") == 4 and found.count("\nsaved\n") == 2 * saved


def preempted(slurm: Cluster, work: Path) -> bool:
    """Slurm queues both jobs again."""
    return jobs_go_on(slurm, work, lambda: [slurm.call("scontrol", "requeue", job) for job in slurm.jobs()], True)


def out_of_time(slurm: Cluster, work: Path) -> bool:
    """Both get the signal that Slurm sends when a job's time is nearly up."""
    return jobs_go_on(slurm, work, lambda: [slurm.call("scancel", "--signal=USR2", job) for job in slurm.jobs()], True)


def node_lost(slurm: Cluster, work: Path) -> bool:
    """A node vanishes with its job, and the other's job is killed."""

    def fault() -> None:
        slurm.lose("n2")
        slurm.kill_job("n1")

    survived = jobs_go_on(slurm, work, fault, False)
    slurm.bring_back("n2")
    where = [line.split()[-1] for line in text(work).splitlines() if line.startswith("part ")]
    return survived and sorted(where) == ["n1", "n1", "n1", "n2"]


def cancelled(slurm: Cluster, work: Path) -> bool:
    """What somebody cancels is not tried again, and said by the exit code."""
    job = slurm.two_jobs(work)
    wait_for_two(work)
    slurm.call("scancel", *slurm.jobs())
    job.communicate()
    return job.returncode == 143 and text(work).count("\npart ") == 2


class Recipe:
    """A copy of the recipe, on a corpus of its own, and the same work undisturbed."""

    def __init__(self, slurm: Cluster, work: Path, draw: random.Random) -> None:
        self.slurm, self.work, self.draw = slurm, work, draw
        self.corpus = work / "corpus"
        for number in range(60):
            audio.write(self.corpus / f"spk{number % 2}/{number:02d}.wav", voice(120, 1.0, number), RATE)
        made = shutil.ignore_patterns("data", "dump", "exp", "downloads", "__pycache__")
        shutil.copytree(ROOT / "recipes", work / "recipes", ignore=made)
        for name in ("pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, work)
        self.place = work / "recipes/vctk"
        self.exp = self.place / "exp/corpus_tiny"

    def stage(self, number: int, begun: str) -> bool:
        """Run a stage on the cluster, and kill both nodes' jobs when a file is there; tell whether it ended well."""
        environment = self.slurm.environment | {
            "train_cmd": "../utils/run_job.py --cluster slurm",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        command = ["bash", self.place / "run.sh", "--corpus", self.corpus, "--nj", "2"]
        command += ["--train-args", TRAIN, "--stage", str(number), "--stop-stage", str(number)]
        with (self.work / f"stage{number}.log").open("w+") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            wait_for(lambda: process.poll() is not None or list(self.place.glob(begun)), SLOW)
            time.sleep(self.draw.uniform(0, 1))
            for node in ("n1", "n2"):
                self.slurm.kill_job(node)
            ended = process.wait(SLOW)
            log.seek(0)
            return ended == 0 and "submitted again" in log.read()

    def prepare(self) -> bool:
        """Stage 1."""
        return (
            self.stage(1, "exp/corpus_tiny/log/prepare.[12].log")
            and run(f"prepare --corpus {self.corpus} --data whole-data --dump whole-dump", self.work) == 0
            and same(self.place / "dump/corpus", self.work / "whole-dump", "*/*.flac")
        )

    def train(self) -> bool:
        """Stage 2, from the second checkpoint on."""
        data = self.place / "data/corpus"
        flags = f"--config {self.place}/conf/tiny.yaml --accelerator cpu {TRAIN}"
        return (
            self.stage(2, "exp/corpus_tiny/train/state-000006.safetensors")
            and run(f"train {flags} --train {data}/train --dev {data}/dev --out whole", self.work) == 0
            and same(self.exp, self.work / "whole", "model.safetensors")
        )

    def units(self) -> bool:
        """Stage 4."""
        return (
            self.stage(4, "exp/corpus_tiny/log/units.train.[12].log")
            and run("units --model exp/corpus_tiny --data data/corpus/train --out whole-units", self.place) == 0
            and same(self.exp / "units/train", self.place / "whole-units", "*")
        )

    def two_nodes(self) -> bool:
        """Training on both nodes at once, one of which loses its process; then on one."""
        data = self.place / "data/corpus"
        flags = f"--config {self.place}/conf/tiny.yaml --accelerator cpu {TRAIN} --resume"
        flags += f" --train {data}/train --dev {data}/dev --out shared"
        command = [sys.executable, "-m", "vqspeech.cli.train", *flags.split(), "--nodes", "2"]
        # The nodes have no names that could be looked up.
        environment = self.slurm.environment | {"MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
        with (self.work / "srun.log").open("w+") as log:
            process = subprocess.Popen(
                ["srun", "-N2", "--ntasks-per-node=1", *command],
                cwd=self.work,
                env=environment | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=log,
            )
            checkpoint = self.work / "shared/train/state-000006.safetensors"
            wait_for(lambda: process.poll() is not None or checkpoint.exists(), SLOW)
            self.slurm.kill_job("n2")
            ended = process.wait(SLOW)
            log.seek(0)
            told = "lost another process of this training" in log.read()
        survived = ended != 0 and told and run(f"train {flags}", self.work) == 0
        ours, wanted = (losses(self.work / name) for name in ("shared", "whole"))
        return survived and all(abs(a - b) < 1e-3 * b for a, b in zip(ours, wanted, strict=True))


def losses(model: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(model / "train/metrics.jsonl") if line["split"] == "train"]


def same(ours: Path, wanted: Path, pattern: str) -> bool:
    """Whether two folders hold the same files to the byte."""
    found, right = (
        {path.relative_to(folder): path.read_bytes() for path in folder.glob(pattern)} for folder in (ours, wanted)
    )
    return bool(right) and found == right


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--faults", help="which, parted by ';' (default: all)")
    options = parser.parse_args()
    if reason := missing():
        print(f"soak.py: {reason}", file=sys.stderr)
        return 1
    work = Path(tempfile.mkdtemp(prefix="vqspeech-slurm-"))
    lost = False
    with cluster(work / "cluster") as slurm:
        recipe = Recipe(slurm, work, random.Random(options.seed))
        faults: dict[str, Callable[[], bool]] = {
            "jobs preempted": lambda: preempted(slurm, work / "preempted"),
            "jobs out of time": lambda: out_of_time(slurm, work / "out-of-time"),
            "a node lost": lambda: node_lost(slurm, work / "node-lost"),
            "jobs cancelled": lambda: cancelled(slurm, work / "cancelled"),
            # Each of these goes on with what the one before has made.
            "preparation killed": recipe.prepare,
            "training killed": recipe.train,
            "units killed": recipe.units,
            "training on two nodes, one killed": recipe.two_nodes,
        }
        for name in [name.strip() for name in options.faults.split(";")] if options.faults else faults:
            survived = faults[name]()
            lost = lost or not survived
            print(f"Slurm, {name}: tried 1, survived {survived:d}, lost {not survived:d}", flush=True)
    if lost:
        print(f"what was lost is in {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
