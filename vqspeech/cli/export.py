"""vqspeech-export: units in the formats of other toolkits."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.errors import UsageError, VqspeechError, did_you_mean


def export(
    *,
    units: Path,
    format: str,
    out: Path,
    dedup: bool = False,
    bpe: int | None = None,
    bpe_units: Path | None = None,
    bpe_model: Path | None = None,
    data: Path | None = None,
    force: bool = False,
) -> None:
    """Write units for another toolkit, as a folder of its files and units.json, by which vqspeech-import reads it back.

    Args:
        units: folder that vqspeech-units wrote
        format: kaldi-text, kaldi-ark, ctm, espnet, fairseq, gslm, lhotse, jsonl, parquet or npz
        out: folder to write
        dedup: make one token of a run of equal units; how long each lasts is kept
        bpe: learn a byte-pair encoding of so many pieces from --bpe-units, and make tokens of its pieces; it is saved
            as bpe.model, which sentencepiece opens
        bpe_units: units of the training split
        bpe_model: an earlier export, whose bpe.model is taken, so that all splits share the one of training
        data: data directory of the same utterances, for texts and audio; fairseq needs it
        force: replace an earlier export

    Example:
        vqspeech-export --units exp/vctk_base/units/test --format jsonl --out exported/test
        vqspeech-export --units exp/vctk_base/units/test --format fairseq --data data/vctk/test --out fairseq/test
        vqspeech-export --units exp/vctk_base/units/train --format espnet --dedup --out espnet/train \\
            --bpe 2000 --bpe-units exp/vctk_base/units/train
        vqspeech-export --units exp/vctk_base/units/test --format espnet --dedup --out espnet/test \\
            --bpe-model espnet/train
    """
    if (bpe is None) != (bpe_units is None):
        raise UsageError("--bpe N and --bpe-units DIR, the units of the training split, go together")
    if bpe is not None and bpe_model is not None:
        raise UsageError("give either --bpe N, to learn one, or --bpe-model DIR, to take one")
    from vqspeech.data.kaldi import read_data_dir
    from vqspeech.units.formats import FORMATS
    from vqspeech.units.store import read_units
    from vqspeech.units.transfer import bpe_of_export, export_units, train_bpe

    if format not in FORMATS:
        raise UsageError(f"--format {format}: there are {', '.join(FORMATS)}{did_you_mean(format, FORMATS)}")
    stored = read_units(units)
    if not stored.units:
        raise VqspeechError(f"{units}: holds no utterance")
    encoding = None
    if bpe is not None:
        encoding = train_bpe(read_units(bpe_units), stored, bpe, merge=dedup)
    elif bpe_model is not None:
        encoding = bpe_of_export(bpe_model, stored, merge=dedup)
    described = read_data_dir(data) if data else None
    export_units(stored, format, out, merge=dedup, data=described, bpe=encoding, force=force)
    print(out)


def main() -> None:
    """Run the command."""
    run(export)


if __name__ == "__main__":
    main()
