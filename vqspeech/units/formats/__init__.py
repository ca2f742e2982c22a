"""Units as other toolkits take them: one writer and one reader per layout, chosen by name from `FORMATS`."""

from vqspeech.units.formats.base import Audio, Export, Format
from vqspeech.units.formats.espnet import Espnet
from vqspeech.units.formats.fairseq import Fairseq, Gslm
from vqspeech.units.formats.kaldi import Ctm, KaldiArk, KaldiText
from vqspeech.units.formats.lhotse import Lhotse
from vqspeech.units.formats.tables import JsonLines, Npz, Parquet

FORMATS: dict[str, Format] = {
    "kaldi-text": KaldiText(),
    "kaldi-ark": KaldiArk(),
    "ctm": Ctm(),
    "espnet": Espnet(),
    "fairseq": Fairseq(),
    "gslm": Gslm(),
    "lhotse": Lhotse(),
    "jsonl": JsonLines(),
    "parquet": Parquet(),
    "npz": Npz(),
}

HOLD_UNITS = frozenset({"espnet", "lhotse"})
"""Formats whose units are read back as they are even where a BPE makes tokens of them."""

__all__ = ["FORMATS", "HOLD_UNITS", "Audio", "Export", "Format"]
