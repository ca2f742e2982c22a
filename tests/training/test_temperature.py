import torch

from tests.tiny import tiny_config
from vqspeech.data.dataset import Batch
from vqspeech.models.vqvae import VQVAE
from vqspeech.training import temperature as module
from vqspeech.training.temperature import TEMPERATURES, choose_temperature


def test_the_temperature_whose_copies_come_nearest_is_chosen(monkeypatch) -> None:
    waveform = 0.1 * torch.randn(2, 16000)
    speech = Batch(waveform, torch.tensor([0, 1]), torch.tensor([16000, 12000]), heard=waveform)
    asked = []

    def louder_by_temperature(decoder, conditioning, temperature, generators):
        """The source at 0.8, with the more noise the further from it."""
        asked.append(temperature)
        return speech.waveform + abs(temperature - 0.8) * torch.rand_like(speech.waveform)

    monkeypatch.setattr(module, "sample", louder_by_temperature)
    chosen, distances = choose_temperature(VQVAE(tiny_config().model, 2).eval(), speech, 16000)
    assert tuple(asked) == tuple(distances) == TEMPERATURES
    assert chosen == 0.8
    assert distances[0.8] == 0
    assert distances[0.6] > distances[0.7] > 0
