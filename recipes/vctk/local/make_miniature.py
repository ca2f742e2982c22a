#!/usr/bin/env python3
"""Make the miniature corpus of synthetic voices in a folder."""

import argparse
import sys
from pathlib import Path

from vqspeech.data.miniature import make_miniature
from vqspeech.errors import VqspeechError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--speakers", type=int, required=True)
    parser.add_argument("--sentences", type=int, required=True)
    parser.add_argument("--nj", type=int, default=2)
    options = parser.parse_args()
    try:
        make_miniature(options.folder, options.speakers, options.sentences, options.nj)
    except VqspeechError as error:
        sys.exit(f"make_miniature: {error}")


if __name__ == "__main__":
    main()
