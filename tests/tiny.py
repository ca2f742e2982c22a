"""Models of no use but of every part, for tests."""

from pathlib import Path

import torch

from vqspeech.config import BottleneckConfig, Config, DecoderConfig, EncoderConfig, ModelConfig, TrainingConfig
from vqspeech.hub import save_pretrained
from vqspeech.models.vqvae import VQVAE

TRAINING = TrainingConfig(
    max_steps=6, batch_size=2, crop=640, log_every=2, eval_every=2, eval_seconds=0.5, precision="32-true"
)


def tiny_config(training: TrainingConfig = TRAINING, **bottleneck: object) -> Config:
    model = ModelConfig(
        speaker_dim=4,
        encoder=EncoderConfig(channels=8, hidden=8, dilations=(1,)),
        bottleneck=BottleneckConfig(**{"codes": 16, "dim": 4, "start_steps": 2, **bottleneck}),
        decoder=DecoderConfig(layers=4, cycle=4, residual=8, skip=8, conditioning=8, conditioning_dilations=()),
    )
    return Config(model, training)


def save_tiny_model(folder: Path, speakers: tuple[str, ...] = ("p225", "p226"), **bottleneck: object) -> VQVAE:
    """Write a model folder with random weights whose codes differ from frame to frame."""
    torch.manual_seed(0)
    model = VQVAE(tiny_config(**bottleneck).model, len(speakers)).eval()
    # As initialised, the frames of a random encoder are all but equal, and rounding would decide their codes.
    for parameter in model.encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    latents = model.encode(torch.rand(4, 64 * 100) - 0.5).latents
    model.bottleneck.start(latents.transpose(1, 2).reshape(-1, latents.shape[1]))
    save_pretrained(folder, model, speakers, {})
    return model
