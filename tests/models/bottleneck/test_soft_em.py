import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.soft_em import SoftEM


def quantizer(**changes: object) -> SoftEM:
    settings = {"name": "soft_em", "codes": 2, "dim": 2, "normalise": "none", "restart": 0.0, "draws": 4, **changes}
    made = SoftEM(BottleneckConfig(**settings))
    made.codebook.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))
    made.total.copy_(made.codebook)
    made.started.fill_(True)
    return made


def test_codes_are_drawn_by_the_softmax_of_minus_the_squared_distance() -> None:
    torch.manual_seed(0)
    frames = torch.tensor([0.7, 0.0]).view(1, 2, 1).expand(1, 2, 20_000)
    made = quantizer(ema_decay=1.0).train()
    seen = made(frames).latents[0, 0].mean() / 2
    near, far = torch.tensor(-(0.7**2)).exp(), torch.tensor(-(1.3**2)).exp()
    assert torch.allclose(seen, far / (near + far), atol=0.01)
    assert (made.eval()(frames).latents == 0).all()


def test_each_draw_moves_its_code_by_its_share() -> None:
    made = quantizer(ema_decay=0.0, draws=2)
    frames = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    made.update(frames, torch.tensor([[0, 1], [1, 1]]))
    # Code 0 has half of the first frame; code 1 the other half and all of the second.
    assert torch.allclose(made.usage, torch.tensor([0.5, 1.5]))
    assert torch.allclose(made.codebook, torch.tensor([[1.0, 0.0], [(0.5 * 1 + 3) / 1.5, 0.0]]))
