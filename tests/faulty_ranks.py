"""vqspeech-train, whose second rank sends a signal before a step, to itself or to all: `FAULT="SIGKILL self"`."""

import os
import signal

from vqspeech.cli.train import main
from vqspeech.training.vqvae import VQVAETask

STEP = 4
before_step = VQVAETask.before_step


def faulty(task: VQVAETask, step: int) -> None:
    if step == STEP and os.environ.get("LOCAL_RANK") == "1":
        name, whom = os.environ["FAULT"].split()
        os.kill(os.getpid() if whom == "self" else 0, signal.Signals[name])
    before_step(task, step)


if __name__ == "__main__":
    VQVAETask.before_step = faulty
    main()
