#!/usr/bin/env python3
"""Character and word error rates of what recognise.py wrote, as JSON and as a table in Markdown."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from exported import LOG_MEL_RATE, read_export

from vqspeech.errors import VqspeechError
from vqspeech.evaluation.abx import edits
from vqspeech.evaluation.bootstrap import interval, ratio
from vqspeech.evaluation.codes import bitrates
from vqspeech.files import atomic_write
from vqspeech.units.tokens import Tokens, expanded

BASELINE = "mfcc"
HEAD = (
    "| input | tokens a second | bit/s | labels | CER greedy | CER beam | WER greedy | WER beam "
    "| CER beam, less that of MFCC k-means |"
)
NAMES = {"units": "our units", "mfcc": "MFCC k-means", "random": "random units", "log-mel": "log-mel"}

Scores = dict[str, Any]


def counts(lines: Sequence[Scores], decoded: str, words: bool) -> np.ndarray:
    """Errors and the length of the reference `[utterances, 2]`, in words or in characters."""
    found = []
    for line in lines:
        reference, heard = ((line[key].split() if words else list(line[key])) for key in ("text", decoded))
        symbols = {symbol: number for number, symbol in enumerate({*reference, *heard})}
        sequences = [np.array([symbols[symbol] for symbol in text], np.int64) for text in (reference, heard)]
        found.append((edits(*sequences), len(reference)))
    return np.array(found)


def score(lines: Sequence[Scores], beside: Sequence[Scores] | None) -> Scores:
    """Rates with their intervals, and the difference of CER to what another recogniser made of the same utterances."""
    scores: Scores = {"utterances": len(lines)}
    for decoded in ("greedy", "beam"):
        for rate, words in (("cer", False), ("wer", True)):
            found = counts(lines, decoded, words)
            scores[decoded] = scores.get(decoded, {}) | {
                rate: float(ratio(found.sum(0, keepdims=True))[0]),
                f"{rate}_interval": interval(found, ratio),
            }
    if beside is not None:
        ours, theirs = counts(lines, "beam", False), counts(beside, "beam", False)
        differences = np.stack([ours[:, 0] - theirs[:, 0], ours[:, 1]], axis=1)
        scores["difference"] = float(ratio(differences.sum(0, keepdims=True))[0])
        scores["difference_interval"] = interval(differences, ratio)
    return scores


def describe(export: Path) -> Scores:
    """Tokens a second and the entropy of an export's units, runs kept, in bits a second."""
    exported = read_export(export)
    rate, codes = exported.info["rate"], exported.info["codes"]
    streams = [expanded(Tokens(np.array(row.units), np.array(row.durations))) for row in exported.utterances]
    tokens = sum(len(row.units) for row in exported.utterances)
    return {
        "codes": codes,
        "rate": rate,
        "tokens_a_second": tokens * rate / sum(map(len, streams)),
        "bitrate": bitrates(streams, codes, rate).entropy,
    }


def render(results: Scores) -> str:
    """The page: the command, what was recognised, the table."""
    test = results["test"]
    lines = [
        f"```sh\n{results['command']}\n```\n",
        f"{test['utterances']} utterances of {test['sentences']} sentences, {test['trained_on']} of them in training "
        "too. In brackets 95 % intervals, by the bootstrap over utterances.\n",
        HEAD,
        "|" + " --- |" * HEAD.count(" |"),
    ]
    for row in results["rows"]:
        inputs = results["inputs"][row["input"]]
        bitrate = f"{inputs['bitrate']:.0f}" if "bitrate" in inputs else "-"
        rates = [_percent(row[decoded], rate, sign="") for rate in ("cer", "wer") for decoded in ("greedy", "beam")]
        difference = _percent(row, "difference", sign="+") if "difference" in row else "-"
        tokens = f"{inputs['tokens_a_second']:.0f}"
        cells = NAMES[row["input"]], tokens, bitrate, row["labels"], *rates, difference
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _percent(scores: Scores, name: str, sign: str) -> str:
    value, low, high = (f"{100 * part:{sign}.1f}" for part in (scores[name], *scores[f"{name}_interval"]))
    return f"{value} % ({low} to {high})"


def read_lines(path: Path) -> list[Scores]:
    """What recognise.py wrote."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("exp", type=Path, help="folder with exported/INPUT/SPLIT and asr/INPUT_LABELS/SPLIT.jsonl")
    parser.add_argument("--test", required=True, help="the split that was recognised")
    parser.add_argument("--inputs", nargs="+", required=True, choices=NAMES)
    parser.add_argument("--labels", nargs="+", required=True)
    parser.add_argument("--command", required=True, help="what remakes the results")
    options = parser.parse_args()
    try:
        results = gather(options.exp, options.test, options.inputs, options.labels)
        results["command"] = options.command
        with atomic_write(options.exp / f"results.{options.test}.json") as file:
            json.dump(results, file, indent=2)
        with atomic_write(options.exp / f"RESULTS.{options.test}.md") as file:
            file.write(render(results))
    except VqspeechError as error:
        sys.exit(f"score: error: {error}")


def gather(exp: Path, test: str, inputs: Sequence[str], labels: Sequence[str]) -> Scores:
    """All that the table tells; raises VqspeechError for exports that cannot be read."""
    found = {name: read_lines(exp / "asr" / name / f"{test}.jsonl") for name in _names(inputs, labels)}
    rows = []
    for kind in labels:
        beside = found.get(f"{BASELINE}_{kind}")
        for name in inputs:
            others = None if name == BASELINE else beside
            rows.append({"input": name, "labels": kind, **score(found[f"{name}_{kind}"], others)})
    split = read_export(exp / "exported" / "units" / test)
    training = read_export(exp / "exported" / "units" / "train")
    sentences = {row.text for row in split.utterances}
    return {
        "test": {
            "utterances": len(split.utterances),
            "sentences": len(sentences),
            "trained_on": len(sentences & {row.text for row in training.utterances}),
        },
        "inputs": {
            name: {"tokens_a_second": LOG_MEL_RATE} if name == "log-mel" else describe(exp / "exported" / name / test)
            for name in inputs
        },
        "rows": rows,
    }


def _names(inputs: Sequence[str], labels: Sequence[str]) -> list[str]:
    return [f"{name}_{kind}" for kind in labels for name in inputs]


if __name__ == "__main__":
    main()
