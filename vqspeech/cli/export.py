"""vqspeech-export: units in the formats of other toolkits."""

from pathlib import Path
from typing import Literal

from vqspeech.cli.harness import run
from vqspeech.errors import VqspeechError

FormatName = Literal["kaldi-text", "kaldi-ark", "ctm", "espnet", "fairseq", "gslm", "lhotse", "jsonl", "parquet", "npz"]


def export(
    *,
    units: Path,
    format: FormatName,
    out: Path,
    dedup: bool = False,
    data: Path | None = None,
    force: bool = False,
) -> None:
    """Write units for another toolkit, as a folder of its files and units.json, by which vqspeech-import reads it back.

    Args:
        units: folder that vqspeech-units wrote
        format: kaldi-text, kaldi-ark, ctm, espnet, fairseq, gslm, lhotse, jsonl, parquet or npz
        out: folder to write
        dedup: make one token of a run of equal units; how long each lasts is kept
        data: data directory of the same utterances, for texts and audio; fairseq needs it
        force: replace an earlier export

    Example:
        vqspeech-export --units exp/vctk_base/units/test --format jsonl --out exported/test
        vqspeech-export --units exp/vctk_base/units/test --format fairseq --data data/vctk/test --out fairseq/test
    """
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.store import read_units
    from vqspeech.units.transfer import export_units

    stored = read_units(units)
    if not stored.units:
        raise VqspeechError(f"{units}: holds no utterance")
    export_units(stored, format, out, merge=dedup, data=read_data_dir(data) if data else None, force=force)
    print(out)


def main() -> None:
    """Run the command."""
    run(export)


if __name__ == "__main__":
    main()
