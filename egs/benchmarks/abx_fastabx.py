"""What fastabx says of the items of abx_items.py, in Python 3.12: python egs/benchmarks/abx_fastabx.py ITEMS."""

import sys

import numpy as np
import polars as pl
import torch
from fastabx import Dataset, InMemoryAccessor, Score, Task


def levenshtein(
    costs: torch.Tensor, x_lengths: torch.Tensor, lengths: torch.Tensor, *, symmetric: bool
) -> torch.Tensor:
    """Edits over the longer one's length, of costs `[x, others, n, m]` that are 0 where codes are equal."""
    edits = [
        [_edits(costs[x, y, :n, :m].numpy()) / max(n, m) for y, m in enumerate(lengths.tolist())]
        for x, n in enumerate(x_lengths.tolist())
    ]
    return torch.tensor(edits, dtype=torch.float32)


def _edits(costs: np.ndarray) -> float:
    """The textbook's table, a row at a time: what it takes to insert up to a column is a running minimum."""
    steps = np.arange(costs.shape[1] + 1)
    row = steps.astype(float)
    for number, own in enumerate(costs, start=1):
        new = np.append(number, np.minimum(row[:-1] + own, row[1:] + 1))
        row = np.minimum.accumulate(new - steps) + steps
    return row[-1]


def main() -> None:
    """Print the error rates within and across speakers of every representation."""
    arrays = np.load(sys.argv[1])
    labels = pl.DataFrame(arrays["labels"], schema=["phone", "before", "after", "speaker"], orient="row")
    for name in sorted({key.partition("/")[0] for key in arrays.files} - {"labels"}):
        ends = np.cumsum(arrays[f"{name}/lengths"])
        places = {
            i: (int(end - n), int(end)) for i, (end, n) in enumerate(zip(ends, arrays[f"{name}/lengths"], strict=True))
        }
        features = torch.from_numpy(arrays[f"{name}/features"])
        discrete = not features.is_floating_point()
        rates = []
        for by, across in ((["before", "after", "speaker"], None), (["before", "after"], ["speaker"])):
            dataset = Dataset(labels, InMemoryAccessor(dict(places), features.clone(), torch.device("cpu")))
            task = Task(dataset, on="phone", by=by, across=across)
            how = {"distance_name": "identical", "alignment": levenshtein} if discrete else {"distance_name": "angular"}
            rates.append(Score(task, **how, progress=False).collapse(levels=[("after", "before"), "speaker"]))
        print(f"{name}: {len(places)} items, within {rates[0]:.6f}, across {rates[1]:.6f}")


if __name__ == "__main__":
    main()
