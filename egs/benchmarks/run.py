"""All benchmarks: one command, one table, one JSON, every opponent in the same run on the same cores.

python egs/benchmarks/run.py --model MODEL --data recipes/vctk/data/miniature/train --out bench

Opponents from other projects come with `pip install vqspeech[benchmarks]`; those that are missing are left out.
Nothing else should run on the machine meanwhile.
"""

import argparse
import dataclasses
import json
import os
import shlex
import sys
from pathlib import Path

# As the commands do, before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

import commands
import encoding
import memory
import precision
import sampling
import training
from contest import Result, machine, markdown, use_cores

import vqspeech
from vqspeech.config import Config, TrainingConfig
from vqspeech.data.kaldi import read_data_dir

PARTS = ("sampling", "precision", "training", "encoding", "commands", "memory")


def main() -> None:
    """Run the chosen benchmarks and write their table and their JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="\n".join(__doc__.splitlines()[2:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--model", type=Path, required=True, help="model folder; its decoder is the one that is timed")
    parser.add_argument("--data", type=Path, required=True, help="data directory of speech to train on and to convert")
    parser.add_argument("--out", type=Path, required=True, help="folder for benchmarks.md and benchmarks.json")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to run (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each contestant runs (default: 5)")
    parser.add_argument("--cores", type=int, default=2, help="cores where not one alone is told (default: 2)")
    parser.add_argument("--batch-size", type=int, default=8, help="crops of a training step (default: 8)")
    parser.add_argument("--hours", type=float, nargs=2, default=(10, 1), metavar=("ENCODED", "CONVERTED"),
        help="length of the files whose memory is measured (default: 10 1)")  # fmt: skip
    arguments = parser.parse_args()

    codec, data = vqspeech.load(arguments.model), read_data_dir(arguments.data)
    results: list[Result] = []
    for part in arguments.only:
        print(f"{part} ...", file=sys.stderr, flush=True)
        if part == "sampling":
            use_cores(1)
            results += sampling.results(codec.model.decoder, arguments.rounds)
            use_cores(arguments.cores)
            results += sampling.many_streams(codec.model.decoder, "base", arguments.rounds, arguments.cores)
        elif part == "precision":
            results += precision.results(codec, data)
        elif part == "training":
            use_cores(arguments.cores)
            config = Config(codec.config, TrainingConfig())
            results += training.results(config, arguments.data, 4 + 2 * arguments.rounds, arguments.batch_size)
        elif part == "encoding":
            use_cores(arguments.cores)
            results += encoding.results(codec, arguments.rounds, arguments.cores)
        elif part == "memory":
            use_cores(arguments.cores)
            results += memory.results(codec, arguments.model, data, *arguments.hours)
        else:
            use_cores(arguments.cores)
            # The utterance nearest to three seconds.
            chosen = min(data.utterances, key=lambda id: abs(data.utt2dur[id] - 3))
            results += commands.results(arguments.model, Path(data.wavs[chosen]), arguments.rounds)
    head = {**machine(), "vqspeech": vqspeech.__version__}
    table = markdown(head, shlex.join(["python", *sys.argv]), results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "benchmarks.md").write_text(table)
    record = {"machine": head, "results": [dataclasses.asdict(result) for result in results]}
    (arguments.out / "benchmarks.json").write_text(json.dumps(record, indent=1) + "\n")
    print(table)


if __name__ == "__main__":
    main()
