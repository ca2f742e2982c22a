"""How far phones found by vqspeech-align are from other labels: python egs/benchmarks/alignment.py LABELS REFERENCE."""

import difflib
import sys
from pathlib import Path

import numpy as np

from vqspeech.data.labels import SILENCES, Phone, find_labels, read_labels

# The consonants of espeak-ng that ARPAbet writes otherwise; Festival's phones are ARPAbet's in small letters.
ESPEAK = {"T": "th", "D": "dh", "S": "sh", "Z": "zh", "N": "ng", "tS": "ch", "dZ": "jh", "j": "y", "h": "hh"}


def main() -> None:
    """Print the errors of onsets over the phones that are in both labels of an utterance, in the same order."""
    found, reference = (find_labels(Path(folder)) for folder in sys.argv[1:])
    errors, phones, lengths = [], 0, []
    for utterance in sorted(found.keys() & reference.keys()):
        own, other = (_spoken(labels[utterance]) for labels in (found, reference))
        names = [phone.phone.lower() for phone in own], [ESPEAK.get(phone.phone, phone.phone) for phone in other]
        for start, other_start, length in difflib.SequenceMatcher(None, *names, autojunk=False).get_matching_blocks():
            errors += [own[start + i].start - other[other_start + i].start for i in range(length)]
        phones += len(other)
        lengths += [phone.end - phone.start for phone in other]
    far = np.abs(errors)
    print(
        f"{len(found.keys() & reference.keys())} utterances, {len(errors)} of {phones} phones in both: onsets "
        f"{1000 * np.median(far):.1f} ms apart in the median ({1000 * np.median(errors):+.1f} with their sign), "
        f"{np.mean(far <= 0.02):.1%} within 20 ms; {np.mean(np.array(lengths) < 0.0155):.1%} of the reference's phones "
        "last 15 ms or less"
    )


def _spoken(path: Path) -> list[Phone]:
    return [phone for phone in read_labels(path) if phone.phone not in SILENCES]


if __name__ == "__main__":
    main()
