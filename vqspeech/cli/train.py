"""vqspeech-train: fit a model to a data directory."""

from pathlib import Path
from typing import Literal

from vqspeech.cli.harness import run
from vqspeech.config import Config
from vqspeech.settings import load_config, override


def train(
    *,
    config: Path,
    train: Path,
    dev: Path,
    out: Path,
    resume: bool = False,
    init: Path | None = None,
    init_part: Literal["encoder", "decoder"] | None = None,
    devices: int = 1,
    nodes: int = 1,
    accelerator: Literal["auto", "cpu", "cuda"] = "auto",
    **settings: str,
) -> None:
    """Train a VQ-VAE; the model of the best held-out bits per sample is kept in --out.

    Settings come from the YAML file --config; each can be given as a dotted flag too, which then wins. The
    defaults below are those of settings that the file leaves out.

    Args:
        config: settings, a YAML file such as recipes/vctk/conf/base.yaml
        train: data directory to learn from; its speakers are the voices of the model
        dev: data directory to measure on while training
        out: model folder: config.json, model.safetensors, and train/ with logs and what resuming needs
        resume: go on where an earlier run into --out stopped
        init: model folder whose weights to start from; speakers that it does not know get new rows
        init_part: take only that much of --init, into a model of the configuration: encoder with codes, or decoder with
            voices
        devices: processes or GPUs a machine, which share each batch; under torchrun, as many as it started
        nodes: machines, on each of which srun or torchrun starts this command
        accelerator: what to train on

    Example:
        vqspeech-train --config conf/tiny.yaml --train data/vctk/train --dev data/vctk/dev --out exp/vctk_tiny
        vqspeech-train ... --training.max_minutes 5 --model.bottleneck.codes 256
    """
    chosen = override(load_config(config, Config), settings)
    from torch import distributed

    from vqspeech.training.vqvae import train as train_model

    train_model(
        chosen,
        train=train,
        dev=dev,
        out=out,
        resume=resume,
        init=init,
        init_part=init_part,
        devices=devices,
        nodes=nodes,
        accelerator=accelerator,
    )
    if not distributed.is_initialized() or distributed.get_rank() == 0:
        print(out)


def main() -> None:
    """Run the command."""
    run(train, settings=Config)


if __name__ == "__main__":
    main()
