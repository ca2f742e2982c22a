"""vqspeech-train-prior: what comes after what among a model's units."""

from pathlib import Path

from vqspeech.cli.harness import run
from vqspeech.config import PriorTraining
from vqspeech.settings import load_config, override


def train_prior(
    *,
    units: Path,
    dev: Path,
    out: Path,
    config: Path | None = None,
    merge: bool = False,
    resume: bool = False,
    **settings: str,
) -> None:
    """Train a prior over units: a Transformer that predicts each code from those before, and a histogram beside it.

    Settings come from the YAML file --config, if one is given; each can be given as a dotted flag too, which then
    wins. At the end stands how many bits a held-out code takes under each prior, and under a bigram.

    Args:
        units: folder that vqspeech-units wrote, to learn from
        dev: folder of held-out units of the same model
        out: folder for the prior; vqspeech-sample looks for it in prior/ of the model folder
        config: settings, a YAML file
        merge: count a run of one code as one; such a prior can be measured, but not sampled from
        resume: go on where an earlier run into --out stopped

    Example:
        vqspeech-train-prior --units exp/vctk_base/units/train --dev exp/vctk_base/units/dev --out exp/vctk_base/prior
    """
    chosen = override(load_config(config, PriorTraining) if config else PriorTraining(), settings)
    from vqspeech.training.prior import train_prior as train

    bits = train(chosen, units, dev, out, merge=merge, resume=resume)
    print("prior\tbits per code")
    for name in ("uniform", "histogram", "bigram", "autoregressive"):
        print(f"{name}\t{getattr(bits, name):.3f}")


def main() -> None:
    """Run the command."""
    run(train_prior, settings=PriorTraining)


if __name__ == "__main__":
    main()
