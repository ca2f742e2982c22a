"""ABX of a model and of baselines, and the items of it: python egs/benchmarks/abx_items.py MODEL DATA TRAIN ITEMS."""

import sys
from pathlib import Path

import numpy as np

import vqspeech
from vqspeech.evaluation.abx import GROUP, abx
from vqspeech.evaluation.coded import Coded
from vqspeech.evaluation.discrimination import distance_of, triphone_items
from vqspeech.evaluation.representation import fit_baselines
from vqspeech.evaluation.speech import Speech

UTTERANCES = 200


def main() -> None:
    """Print our error rates and write the items that they are of."""
    model, data, train, out = map(Path, sys.argv[1:])
    codec = vqspeech.load(model)
    speech = Speech(data, codec.sample_rate)
    chosen = speech.first(UTTERANCES, among=speech.data.labels)
    baselines = fit_baselines(codec, Speech(train, codec.sample_rate), UTTERANCES)
    arrays = {}
    for name, items in triphone_items(codec, Coded.by(codec), speech, chosen, lambda: baselines).items():
        # fastabx takes no more than these if it is given no more: its own choice of ten is another one.
        kept = [item for number, item in zip(_numbers(items), items, strict=True) if number < GROUP]
        found = abx(kept, distance_of(name))
        print(f"{name}: {len(kept)} items, within {found.within:.6f}, across {found.across:.6f}")
        arrays[f"{name}/features"] = np.concatenate([np.atleast_2d(item.features.T).T for item in kept])
        arrays[f"{name}/lengths"] = np.array([len(item.features) for item in kept])
        arrays["labels"] = np.array([(item.phone, *item.context, item.speaker) for item in kept])
    np.savez(out, **arrays)


def _numbers(items: list) -> list[int]:
    """How many of the same phone, context and speaker come before each item."""
    seen: dict[tuple, int] = {}
    numbers = []
    for item in items:
        key = item[1:4]
        numbers.append(seen.get(key, 0))
        seen[key] = numbers[-1] + 1
    return numbers


if __name__ == "__main__":
    main()
