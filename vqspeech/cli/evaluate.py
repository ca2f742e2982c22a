"""vqspeech-evaluate: what a model is worth, in numbers."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.cli.lookup import find_model


def evaluate(
    *,
    data: Path,
    train_data: Path,
    out: Path,
    model: Path | None = None,
    unseen: Path | None = None,
    parallel: Path | None = None,
    no_codes: Path | None = None,
    prior: Path | None = None,
    measures: str = "all",
    units_only: bool = False,
    skip_bad: bool = False,
    utterances: int = 300,
    copies: int = 40,
    conversions: int = 24,
    seconds: float = 4.0,
    temperature: float | None = None,
    judges: Path | None = None,
    whisper: Path | None = None,
    command: str | None = None,
) -> None:
    """Measure a model on held-out speech; results.json holds every number, RESULTS.md the table.

    Args:
        data: data directory of held-out utterances of the model's own speakers
        train_data: data directory that the model learned from; baselines and target voices are fitted to it
        out: folder for results.json, RESULTS.md, wav/ and figures/
        model: model folder (default: $VQSPEECH_MODEL, else the model in the package)
        unseen: data directory of speakers that the model never heard, as sources
        parallel: data directory of sentences that several speakers read
        no_codes: model folder of the same decoder trained without codes, to compare with
        prior: folder that vqspeech-train-prior wrote, for the whole bound in bits per sample
        measures: those to take, such as "phones,abx": bits, bound, no_codes, codes, phones, map (of phones by codes),
            abx (of triphones), speaker (named from codes), speed, and of samples nearest, similarity, ecapa
            (speakers), words, mos (naturalness), pesq, estoi, f0 and mcd (copies against their source)
        units_only: leave out whatever needs sampling
        skip_bad: carry on past unreadable utterances and count them
        utterances: utterances of each data directory to measure codes and phones on
        copies: copy-syntheses to make
        conversions: conversions to make
        seconds: longest copy and conversion, in seconds
        temperature: 1 samples as the model learned to, lower is cleaner and duller, 0 takes the likeliest (default: the
            one that suited the model best on dev speech)
        judges: folder of judges' weights, as recipes/utils/fetch_judges.sh fills it (default: $VQSPEECH_JUDGES, else
            ~/.cache/vqspeech/judges)
        whisper: folder of a Whisper model of faster-whisper, for word errors (default: $VQSPEECH_WHISPER, else
            whisper-tiny.en among the judges)
        command: the command that remakes the table, for its first line (default: this one)

    Example:
        vqspeech-evaluate --model exp/base --data data/vctk/test --train-data data/vctk/train --out exp
    """
    folder = find_model(model)
    from vqspeech.evaluation.runner import MEASURES
    from vqspeech.evaluation.runner import evaluate as measure

    measure(
        folder,
        data,
        train_data,
        out,
        unseen=unseen,
        parallel=parallel,
        no_codes=no_codes,
        prior=prior,
        measures=MEASURES if measures == "all" else measures.split(","),
        units_only=units_only,
        skip_bad=skip_bad,
        utterances=utterances,
        copies=copies,
        conversions=conversions,
        seconds=seconds,
        temperature=temperature,
        judges=judges,
        whisper=whisper,
        command=command,
    )
    print(out / "RESULTS.md")


def main() -> None:
    """Run the command."""
    run(evaluate)


if __name__ == "__main__":
    main()
