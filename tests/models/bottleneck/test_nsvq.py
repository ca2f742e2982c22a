import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.nsvq import NoiseSubstitution


def quantizer() -> NoiseSubstitution:
    made = NoiseSubstitution(BottleneckConfig(name="nsvq", codes=2, dim=3, normalise="none", restart=0.0))
    made.codebook.data.copy_(torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]))
    made.started.fill_(True)
    return made


FRAMES = torch.tensor([[1.0, 2.0, 0.0], [3.5, 0.0, 0.0]]).t().unsqueeze(0)


def test_noise_is_as_large_as_the_error_in_training_and_codes_are_exact_in_evaluation() -> None:
    torch.manual_seed(0)
    made = quantizer()
    off = (made.train()(FRAMES).latents - FRAMES)[0].norm(dim=0)
    assert torch.allclose(off, torch.tensor([5.0**0.5, 0.5]))
    assert torch.equal(made.eval()(FRAMES).latents[0].t(), torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]]))


def test_frames_and_codes_feel_the_size_of_the_error_by_hand() -> None:
    torch.manual_seed(0)
    made, frames = quantizer().train(), FRAMES.clone().requires_grad_()
    result = made(frames)
    weights = torch.randn(FRAMES.shape)
    (result.latents * weights).sum().backward()
    # d/dz of w . (z + |z - e| u) is w + (w . u) (z - e) / |z - e|, and the code feels minus the second part.
    error = FRAMES - made.lookup(result.indices).detach()
    size = error.norm(dim=1, keepdim=True)
    direction = (result.latents.detach() - FRAMES) / size
    pull = (weights * direction).sum(1, keepdim=True) * error / size
    assert torch.allclose(frames.grad, weights + pull, atol=1e-5)
    assert torch.allclose(made.codebook.grad, -pull[0].t(), atol=1e-5)
