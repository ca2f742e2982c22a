#!/usr/bin/env python3
"""Recognise an export with a recogniser of train.py: a line an utterance of text, greedy and beam, as JSON."""

import argparse
import json
import sys
from pathlib import Path

import torch
from ctc import greedy, prefix_beam_search
from exported import log_mel_examples, padded, read_export, unit_examples
from labels import read_labels
from recogniser import Recogniser

from vqspeech.errors import VqspeechError
from vqspeech.files import atomic_write
from vqspeech.progress import progress


@torch.no_grad()
def recognise(model: Path, export: Path, out: Path, beam: int) -> None:
    """Write `out`; raises VqspeechError for units of another number than the recogniser was trained on."""
    recogniser, labels = Recogniser.load(model), read_labels(model)
    exported, codes = read_export(export), recogniser.shape.codes
    if codes not in (None, exported.info["codes"]):
        raise VqspeechError(f"{export}: {exported.info['codes']} different units, {model} was trained on {codes}")
    examples = log_mel_examples(exported) if codes is None else unit_examples(exported)
    with atomic_write(out) as file:
        for example in progress(examples, "recognise", unit="utt"):
            log_probs = recogniser(*padded([example]))[0][0].double().numpy()
            best = next(iter(prefix_beam_search(log_probs, beam)))
            texts = {"greedy": labels.decode(greedy(log_probs)), "beam": labels.decode(best)}
            file.write(json.dumps({"id": example.id, "text": example.text, **texts}, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("model", type=Path, help="folder that train.py wrote")
    parser.add_argument("export", type=Path, help="folder of vqspeech-export --format jsonl --data DATADIR")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--beam", type=int, default=8, help="prefixes that are kept (default: %(default)s)")
    options = parser.parse_args()
    try:
        recognise(options.model, options.export, options.out, options.beam)
    except VqspeechError as error:
        sys.exit(f"recognise: error: {error}")


if __name__ == "__main__":
    main()
