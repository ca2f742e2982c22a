import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.rvq import ResidualQuantizer


def quantizer() -> ResidualQuantizer:
    made = ResidualQuantizer(
        BottleneckConfig(name="rvq", codes=2, dim=2, stages=2, normalise="none", beta=0.5, restart=0.0)
    )
    made.first.codebook.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    made.later[0].codebook.copy_(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    for stage in (made.first, *made.later):
        stage.started.fill_(True)
    return made.eval()


FRAMES = torch.tensor([[[0.2, 5.0], [0.9, 0.1]]])


def test_stages_quantise_what_is_left_by_hand() -> None:
    result = quantizer()(FRAMES)
    # (0.2, 0.9): code 0, left (0.2, 0.9), code 0. (5, 0.1): code 1, left (1, 0.1), code 1.
    assert result.indices.tolist() == [[0 * 2 + 0, 1 * 2 + 1]]
    assert torch.allclose(result.latents[0].t(), torch.tensor([[0.0, 1.0], [5.0, 0.0]]))
    # Commitment: the first stage's squared distances 0.85 and 1.01, the second's 0.05 and 0.01, each over 4 values.
    assert torch.allclose(result.losses["commitment"], torch.tensor(0.5 * (0.85 + 1.01 + 0.05 + 0.01) / 4))
    assert torch.allclose(quantizer().lookup(result.indices), result.latents)


def test_the_gradient_passes_straight_through_once() -> None:
    frames = FRAMES.clone().requires_grad_()
    weights = torch.randn(FRAMES.shape)
    (quantizer()(frames).latents * weights).sum().backward()
    assert torch.allclose(frames.grad, weights)


def test_each_stage_comes_nearer_after_the_start() -> None:
    torch.manual_seed(0)
    frames = torch.randn(1, 6, 400)
    left = []
    for stages in (1, 2, 3):
        made = ResidualQuantizer(BottleneckConfig(name="rvq", codes=16, dim=6, stages=stages)).eval()
        assert not made.ready
        made.start(frames[0].t())
        assert made.codes == 16**stages
        left.append(made(frames).metrics["distance"])
    assert left[0] > 1.5 * left[1] > 2 * left[2]
