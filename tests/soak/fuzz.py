"""Let atheris, guided by coverage, look for inputs on which a reader crashes, hangs or takes memory without end.

    python tests/soak/fuzz.py [--targets 'audio; data dir'] [--inputs 100000] [--seconds 0] [--keep DIR]

What is read, and the valid files to start from, are in `targets.py`; half of the changes to files of JSON leave them
JSON (`mutation.py`). Each target has a process of its own, in which the Python code of vqspeech and of what parses for
it is instrumented; C code (libsndfile, safetensors, pyarrow, ...) is not. Prints a line a target: inputs tried, edges
of the code reached as libFuzzer counts them, lines reached of the functions of vqspeech that were entered at all,
findings. An input that does harm is kept in DIR/TARGET/findings, with exit code 1; DIR/TARGET/corpus has those that
reached something new, from which another run goes on, and counts its inputs to those before.
"""

import argparse
import contextlib
import json
import mmap
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from hashlib import sha256
from importlib.util import find_spec
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

INSTRUMENTED = ("vqspeech", "yaml", "zipfile", "tarfile", "gzip")
"""Packages whose branches guide the search."""
TIMEOUT = 60
"""Seconds after which an input counts as hanging; the cores may be busy with other things."""
MEMORY = 4096
"""MiB that a process may have, PyTorch's own included. What one input may add is less: see `targets.LARGEST`."""
MOST_DEATHS = 10
"""Times that a target is begun again after its process died."""
WORDS = (
    *("\xf7\xf8\xf9\xfa", "\xf6", "\0", "\n", "\t", "|", "..", "/", "\xc3\xa4", "\xef\xbb\xbf", "\xff\xff\xff\x7f"),
    *("\xff\xff\xff\xff", "-1", "0", "1e308", "1e-308", "nan", "inf", "9223372036854775807", "99999999999999999999999"),
    *("null", "true", "{}", "[]", '""', "[[", '{"', "\\ud800", ": ", "- ", "&a ", "*a", "<<: ", "!!float ", "---\n"),
    *("1.0", "0x", "'", '"', "a-1", "a-2", "units", "durations", "merged", "format", "bpe", "codes", "U", "|O", "<i8"),
)
"""What mutations may put in besides bytes."""


def main() -> int:
    """Fuzz one target after another; 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", default="", help="names, parted by semicolons (default: all)")
    parser.add_argument("--inputs", type=int, default=100_000, help="inputs to try on each (default: 100000)")
    parser.add_argument("--seconds", type=int, default=0, help="seconds after which a target ends (default: no limit)")
    parser.add_argument("--keep", type=Path, help="folder for corpora and findings (default: findings alone, in /tmp)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if find_spec("atheris") is None:
        parser.error("not installed: atheris (pip install 'vqspeech[fuzz]')")
    if options.child:
        _fuzz_here(options.child, options.keep, options.inputs, options.seconds)

    from tests.soak.targets import TARGETS

    names = [name.strip() for name in options.targets.split(";") if name.strip()] or list(TARGETS)
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target {unknown[0]}: there are {'; '.join(TARGETS)}")
    keep = options.keep or Path(tempfile.mkdtemp(prefix="vqspeech-fuzz-"))
    total = found = 0
    for name in names:
        result = fuzz(name, keep / name, options.inputs, options.seconds)
        total, found = total + result["inputs"], found + len(result["findings"])
        print(
            f"{name}: tried {result['inputs']} ({result['speed']:.0f} a second), {result['in_all']} in all, edges "
            f"{result['edges']}, lines {result['lines']} of {result['of_lines']}, findings {len(result['findings'])}",
            flush=True,
        )
        for finding in result["findings"]:
            print(f"  {finding}", flush=True)
    print(f"all: tried {total}, findings {found}")
    if not options.keep and not found:
        shutil.rmtree(keep)
    return bool(found)


def fuzz(name: str, keep: Path, inputs: int, seconds: int) -> dict[str, Any]:
    """Fuzz a target in processes of its own, until it has had so many inputs or so much time; then add up."""
    (keep / "findings").mkdir(parents=True, exist_ok=True)
    (keep / "corpus").mkdir(exist_ok=True)
    before = _taken(keep / "total") + _taken(keep / "count")  # the latter of a run that was ended from outside
    (keep / "total").write_text(str(before))
    began, tried, edges = time.monotonic(), 0, 0
    command = [sys.executable, __file__, "--child", name, "--keep", str(keep)]
    for _ in range(MOST_DEATHS):
        left = seconds - int(time.monotonic() - began) if seconds else 0
        if tried >= inputs or left < 0:
            break
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            limits = ["--inputs", str(inputs - tried), "--seconds", str(left)]
            code = subprocess.run([*command, *limits], stdout=log, stderr=log).returncode
            log.seek(0)
            text = log.read()
        if code and not (keep / "count").exists():
            raise RuntimeError(f"{name}: its process ended with {code} before the first input: {text[-2000:]}")
        tried += _taken(keep / "count")
        (keep / "total").write_text(str(before + tried))
        edges = max([edges, *(int(count) for count in re.findall(r"\bcov: (\d+)", text))])
        if code == 0:
            break
        (keep / "findings" / f"died-{tried}.log").write_text(text[-20_000:])
    measured = subprocess.run([*command, "--inputs", "0"], capture_output=True, text=True, check=True).stdout
    lines = json.loads(measured.splitlines()[-1])
    return {
        "inputs": tried,
        "in_all": before + tried,
        "speed": tried / (time.monotonic() - began),
        "edges": edges,
        **lines,
        "findings": sorted(path for path in (keep / "findings").iterdir() if path.suffix != ".input"),
    }


def _taken(path: Path) -> int:
    """Read a number from a file and remove it; 0 where there is none."""
    number = int(path.read_text()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return number


def _fuzz_here(name: str, keep: Path, inputs: int, seconds: int) -> None:
    """Fuzz a target in this process, or tell what the corpus reaches when `inputs` is 0; does not return."""
    work = Path(tempfile.mkdtemp(prefix="vqspeech-fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
    # libFuzzer ends without a word to Python.
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        shutil.rmtree(work, ignore_errors=True)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    if inputs == 0:
        _measure(name, keep, work)
        sys.stdout.flush()
        os._exit(0)
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.soak.mutation import change
        from tests.soak.targets import TARGETS, lowered_limits, try_input

        target = TARGETS[name]
        (work / "seeds").mkdir()
        seeds = target.seeds(work / "made")
        (work / "files").mkdir()
        for number, seed in enumerate(seeds):
            (work / f"seeds/{number}").write_bytes(seed)
            # What is imported by then is instrumented.
            try_input(target, seed, work / "files")
    (work / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    (keep / "count").write_bytes(b"%20d" % 0)
    with (keep / "count").open("r+b") as file:
        count = mmap.mmap(file.fileno(), 20)
    known: set[tuple[str, str]] = set()
    tried = 0

    def one(data: bytes) -> None:
        nonlocal tried
        tried += 1
        count[:] = b"%20d" % tried
        if (finding := try_input(target, data, work / "files")) and (finding.kind, finding.where) not in known:
            known.add((finding.kind, finding.where))
            place = keep / "findings" / f"{finding.kind.replace(' ', '-')}-{sha256(data).hexdigest()[:12]}"
            place.with_suffix(".input").write_bytes(data)
            place.with_suffix(".json").write_text(json.dumps(asdict(finding), indent=2))

    arguments = [
        *(f"-runs={inputs}", f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-rss_limit_mb={MEMORY}"),
        *(f"-max_len={max(1024, *(2 * len(seed) for seed in seeds))}", f"-dict={work / 'words'}", "-close_fd_mask=3"),
        *(f"-artifact_prefix={keep}/findings/", str(keep / "corpus"), str(work / "seeds")),
    ]

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        changed = change(data, rng) if rng.random() < 0.5 else None
        return changed if changed and len(changed) <= most else atheris.Mutate(data, most)

    with lowered_limits():
        atheris.Setup([sys.argv[0], *arguments], one, custom_mutator=mutate)
        atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("latin-1"))


def _measure(name: str, keep: Path, work: Path) -> None:
    """Print, as JSON, how many lines the corpus reaches of the functions of vqspeech that it enters, and which not."""
    from tests.soak.targets import TARGETS, lowered_limits, try_input

    target = TARGETS[name]
    inputs = [*target.seeds(work / "made"), *(path.read_bytes() for path in sorted((keep / "corpus").iterdir()))]
    (work / "files").mkdir()
    entered: set[CodeType] = set()
    reached: set[str] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        if event == "call" and not ("/vqspeech/" in code.co_filename and code.co_flags & CO_OPTIMIZED):
            return None  # another package's, or the body of a module or a class
        entered.add(code)
        reached.add(_line(code, frame.f_lineno))
        return trace

    with lowered_limits(), contextlib.redirect_stderr(None):
        sys.settrace(trace)
        for data in inputs:
            try_input(target, data, work / "files")
        sys.settrace(None)
    # Where a function begins is no line of it.
    there = {
        _line(code, line) for code in entered for *_, line in code.co_lines() if line and line != code.co_firstlineno
    }
    missed = sorted(there - reached)
    print(json.dumps({"lines": len(there) - len(missed), "of_lines": len(there), "missed": missed}))


def _line(code: CodeType, line: int) -> str:
    return f"{code.co_filename.removeprefix(f'{ROOT}/')}:{line}"


if __name__ == "__main__":
    sys.exit(main())
