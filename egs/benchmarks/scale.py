"""Data dirs of many utterances: seconds and peak memory of every stage, how they grow, and how fast crops are read.

python egs/benchmarks/scale.py --model MODEL --out bench --sizes 1000 10000 100000
python egs/benchmarks/scale.py --out bench --sizes 1000000 --stages validate split

The utterances are looped: a hundred files of a quarter of a second, of which each is named again and again. Every stage
runs as a command of its own. Rows are appended to scale.jsonl, so that sizes can be run one by one; scale.md has all.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech import audio
from vqspeech.config import TrainingConfig
from vqspeech.data.dataset import Crops, speaker_table
from vqspeech.data.kaldi import DataDir, read_data_dir, write_data_dir
from vqspeech.data.shards import write_shards

Row = dict[str, Any]
RATE, CROP = 16000, 3840
FILES, SECONDS = 100, 0.25
UTTERANCES_OF_A_SPEAKER = 100
SPLIT = """
import sys
from vqspeech.data.corpus import read_corpus
from vqspeech.data.splits import split
utterances = read_corpus(sys.argv[1]).utterances
split(utterances, {utterance.id: 1.0 for utterance in utterances})
"""
# What training does before its first step, and the crops of that step.
CROPS = """
import sys
from vqspeech.config import TrainingConfig
from vqspeech.data.dataset import Crops, speaker_table
from vqspeech.data.kaldi import read_data_dir
data = read_data_dir(sys.argv[1])
Crops(data, speaker_table(data), TrainingConfig(), sample_rate=16000)[0]
"""
MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""
STAGES = ("validate", "split", "crops", "prepare", "units", "shard", "read")


def main() -> None:
    """Measure the chosen stages at the chosen sizes; write the table of everything that was measured so far."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="\n".join(__doc__.splitlines()[2:]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="folder for scale.jsonl and scale.md")
    parser.add_argument("--model", type=Path, help="model folder, for the stage units")
    parser.add_argument("--sizes", type=int, nargs="+", default=(1000, 10_000), help="utterances (default: 1000 10000)")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="stages to run (default: all)")
    arguments = parser.parse_args()
    if "units" in arguments.stages and arguments.model is None:
        parser.error("the stage units needs --model")

    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = arguments.out / "scale.jsonl"
    with tempfile.TemporaryDirectory(dir=arguments.out) as work, rows.open("a") as file:
        for row in measurements(Path(work), arguments.sizes, arguments.stages, arguments.model):
            print(json.dumps(row), file=sys.stderr)
            print(json.dumps(row), file=file, flush=True)
    table = markdown([json.loads(line) for line in rows.read_text().splitlines()])
    (arguments.out / "scale.md").write_text(table)
    print(table, end="")


def measurements(work: Path, sizes: Sequence[int], stages: Sequence[str], model: Path | None) -> Iterator[Row]:
    """Yield a row for every stage at every size, and those of reading."""
    files = write_recordings(work / "wav", FILES, SECONDS)
    for size in sizes:
        data = write_looped(work / f"data{size}", files, size, SECONDS)
        for stage in STAGES:
            if stage in stages and stage != "read":
                with tempfile.TemporaryDirectory(dir=work) as out:
                    yield {"stage": stage, "utterances": size, **measure(command(stage, data, Path(out), model))}
    if "read" in stages:
        yield from reading(work)


def command(stage: str, data: Path, out: Path, model: Path | None) -> list[str]:
    """The command line of a stage that reads the data dir `data` and writes into the folder `out`."""
    arguments: dict[str, list[Any]] = {
        "validate": ["-m", "vqspeech.data.kaldi", data],
        "split": ["-c", SPLIT, data],
        "crops": ["-c", CROPS, data],
        "prepare": ["-m", "vqspeech.cli.prepare", "--corpus", data, "--data", out / "data", "--dump", out / "dump"],
        "units": ["-m", "vqspeech.cli.units", "--model", model, "--data", data, "--out", out / "units"],
        "shard": ["-m", "vqspeech.cli.shard", "--data", data, "--dump", out / "dump", "--out", out / "data"],
    }
    return [sys.executable, *map(str, arguments[stage])]


def measure(command: list[str]) -> dict[str, float]:
    """Seconds by the clock and on processors, and peak resident MiB of a command."""
    start = time.perf_counter()
    # From a small process, since a child counts the memory of its parent, from before it became another program.
    done = subprocess.run(
        [sys.executable, "-S", "-c", MEASURED, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    processor, memory = map(float, done.stdout.split())
    return {"seconds": time.perf_counter() - start, "processor": processor, "mebibytes": memory}


def reading(work: Path) -> Iterator[Row]:
    """Yield what crops cost a reading process, out of short and long recordings, in files and in shards."""
    for seconds, count in ((4, 400), (950, 4)):
        files = write_recordings(work / f"wav-{seconds}", count, seconds)
        data = write_looped(work / f"files-{seconds}", files, count, seconds)
        write_shards(read_data_dir(data), work / f"tar-{seconds}", work / f"shards-{seconds}")
        for place in ("files", "shards"):
            found = read_data_dir(work / f"{place}-{seconds}")
            settings = TrainingConfig(crop=CROP, batch_size=64, max_steps=17)
            crops = Crops(found, speaker_table(found), settings, RATE)
            crops[0]  # what is done once is not counted
            start, before = time.process_time(), reads()
            for step in range(1, len(crops)):
                crops[step]
            number = 64 * (len(crops) - 1)
            calls, amount = ((after - then) / number for after, then in zip(reads(), before, strict=True))
            processor = (time.process_time() - start) / number
            yield {"place": place, "recording": seconds, "processor": processor, "reads": calls, "bytes": amount}


def reads() -> tuple[int, int]:
    """Calls to read from files, and the bytes that they gave, of this process so far."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["syscr"]), int(fields["rchar"])


def write_recordings(folder: Path, count: int, seconds: float) -> list[Path]:
    """Write files of noise whose loudness wanders as that of speech does, three times a second."""
    paths = [(folder / f"{number:03d}.flac").resolve() for number in range(count)]
    time = np.arange(round(seconds * RATE)) / RATE
    for number, path in enumerate(paths):
        noise = np.random.default_rng(number).standard_normal(len(time))
        audio.write(path, (0.05 * noise * np.sin(3 * np.pi * time + 1)).astype(np.float32), RATE)
    return paths


def write_looped(path: Path, files: Sequence[Path], utterances: int, seconds: float) -> Path:
    """Write a data dir of so many utterances over a few files; all speakers read a tenth of their texts alike."""
    ids = [f"s{number // UTTERANCES_OF_A_SPEAKER:06d}-{number:08d}" for number in range(utterances)]
    write_data_dir(
        DataDir(
            path,
            wavs={id: files[number % len(files)] for number, id in enumerate(ids)},
            utt2spk={id: id.partition("-")[0] for id in ids},
            texts={id: f"sentence {number if number % 10 else number % 1000}" for number, id in enumerate(ids)},
            utt2dur=dict.fromkeys(ids, seconds),
        )
    )
    return path


def markdown(rows: Sequence[Row]) -> str:
    """Two tables: processor time and peak memory of each stage at each size, and what crops cost.

    The slope is the power of the number of utterances with which processor time grows from the largest size but one to
    the largest; the bytes are what memory grows by with each utterance between them.
    """
    found = {(row["stage"], row["utterances"]): row for row in rows if "stage" in row}
    sizes = sorted({size for _, size in found})
    columns = ["stage", *(f"{size:,}" for size in sizes), "slope", "bytes an utterance"]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    for stage in (stage for stage in STAGES if any(name == stage for name, _ in found)):
        cells = [
            f"{row['processor']:.1f} s, {row['mebibytes']:,.0f} MiB" if (row := found.get((stage, size))) else ""
            for size in sizes
        ]
        small, large = [None, *(found[stage, size] for size in sizes if (stage, size) in found)][-2:]
        slope = each = ""
        if small:
            more = large["utterances"] / small["utterances"]
            slope = f"{math.log(large['processor'] / small['processor']) / math.log(more):.2f}"
            bytes_more = (large["mebibytes"] - small["mebibytes"]) * 2**20
            each = f"{bytes_more / (large['utterances'] - small['utterances']):,.0f}"
        lines.append(f"| {' | '.join([stage, *cells, slope, each])} |")
    lines += ["", "| a crop of 0.24 s from | processor ms | calls to read | KiB read |", "| --- | --- | --- | --- |"]
    for row in {(row["place"], row["recording"]): row for row in rows if "place" in row}.values():
        lines.append(
            f"| {row['place']}, recordings of {row['recording']} s | {1000 * row['processor']:.2f} "
            f"| {row['reads']:.1f} | {row['bytes'] / 1024:.0f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
