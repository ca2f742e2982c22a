#!/usr/bin/env python3
"""Write RESULTS.json and RESULTS.md from the evaluation's results.json, under the recipe's own command."""

import argparse
import json
from pathlib import Path

from vqspeech.evaluation.table import render
from vqspeech.files import atomic_write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("results", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    results = json.loads(options.results.read_text(encoding="utf-8")) | {"command": options.command}
    with atomic_write(options.out / "RESULTS.json") as file:
        json.dump(results, file, indent=2, ensure_ascii=False)
        file.write("\n")
    with atomic_write(options.out / "RESULTS.md") as file:
        file.write(render(results))


if __name__ == "__main__":
    main()
