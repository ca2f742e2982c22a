import pytest
import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.codebook import _kmeans
from vqspeech.models.bottleneck.vq import VectorQuantizer


def quantizer(**changes: object) -> VectorQuantizer:
    settings = {"codes": 2, "dim": 2, "normalise": "none", "restart": 0.0, **changes}
    made = VectorQuantizer(BottleneckConfig(**settings))
    made.codebook.data.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    made.total.copy_(made.codebook)
    made.started.fill_(True)
    return made


# Three frames: the first two are nearest to code 0, the third to code 1.
FRAMES = torch.tensor([[[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]])


def test_nearest_code_and_commitment_by_hand() -> None:
    result = quantizer(beta=0.5)(FRAMES)
    assert result.indices.tolist() == [[0, 0, 1]]
    assert result.latents[0].t().tolist() == [[0, 0], [0, 0], [4, 0]]
    # Squared distances 1, 1 and 1 over six values, times beta.
    assert result.losses["commitment"].item() == pytest.approx(0.5 * 3 / 6)
    assert set(result.losses) == {"commitment"}


def test_gradient_passes_straight_through() -> None:
    frames = FRAMES.clone().requires_grad_()
    weights = torch.randn(FRAMES.shape)
    result = quantizer(beta=0.0)(frames)
    (result.latents * weights).sum().backward()
    assert torch.equal(frames.grad, weights)


def test_commitment_pulls_frames_and_the_codebook_loss_pulls_codes() -> None:
    frames = FRAMES.clone().requires_grad_()
    made = quantizer(beta=0.25, codebook="loss")
    result = made(frames)
    (result.losses["commitment"] + result.losses["codebook"]).backward()
    # d/dz of beta * |z - e|^2 / 6 is beta * (z - e) / 3.
    assert torch.allclose(frames.grad[0].t(), 0.25 / 3 * torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    # Code 0 feels both of its frames, code 1 the third.
    assert torch.allclose(made.codebook.grad, torch.tensor([[-1.0, -1.0], [1.0, 0.0]]) / 3)


def test_ema_update_by_hand() -> None:
    made = quantizer(ema_decay=0.9)
    made.train()(FRAMES)
    # usage: 0.9 * 1 + 0.1 * (2, 1); total: 0.9 * ((0, 0), (4, 0)) + 0.1 * ((1, 1), (3, 0)).
    assert torch.allclose(made.usage, torch.tensor([1.1, 1.0]))
    assert torch.allclose(made.total, torch.tensor([[0.1, 0.1], [3.9, 0.0]]))
    assert torch.allclose(made.codebook, torch.tensor([[0.1 / 1.1, 0.1 / 1.1], [3.9, 0.0]]))


def test_evaluation_changes_nothing() -> None:
    made = quantizer().eval()
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    made(FRAMES)
    assert all(torch.equal(tensor, before[name]) for name, tensor in made.state_dict().items())


def test_a_dead_code_restarts_at_a_frame_with_its_averages() -> None:
    made = quantizer(restart=0.5)
    made.codebook[1] = torch.tensor([100.0, 100.0])
    made.usage[1] = 0.01
    made.train()(FRAMES)
    assert any(torch.equal(made.codebook[1], frame) for frame in FRAMES[0].t())
    assert torch.allclose(made.total[1] / made.usage[1], made.codebook[1])
    # The next update moves it gently instead of throwing it back or dividing by almost nothing.
    assert made.usage[1] > 0.3


def test_normalised_frames_have_unit_variance_each() -> None:
    made = VectorQuantizer(BottleneckConfig(codes=4, dim=8))
    latents = made.frames(torch.randn(2, 8, 5) * 7 + 3)
    assert torch.allclose(latents.var(1, unbiased=False), torch.ones(2, 5), atol=1e-3)
    assert torch.allclose(latents.mean(1), torch.zeros(2, 5), atol=1e-5)


def test_until_the_start_latents_pass_and_then_kmeans_finds_the_clusters() -> None:
    torch.manual_seed(0)
    made = VectorQuantizer(BottleneckConfig(codes=3, dim=2, normalise="none"))
    assert torch.equal(made(FRAMES).latents, FRAMES)
    centres = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    made.start(centres.repeat(50, 1) + 0.1 * torch.randn(150, 2))
    found = made.codebook[torch.cdist(centres, made.codebook).argmin(1)]
    assert torch.allclose(found, centres, atol=0.1)
    assert made(FRAMES).indices.shape == (1, 3)


def test_kmeans_leaves_no_code_without_frames() -> None:
    torch.manual_seed(0)
    frames = torch.tensor([[5.0, 5.0], [9.0, 9.0]]).repeat(50, 1)
    centres = _kmeans(frames, 5)
    # What no frame is nearest to would be left at the origin.
    assert (torch.cdist(centres, frames).amin(1) == 0).all()


def test_lookup_returns_the_codes_vectors() -> None:
    made = quantizer()
    assert torch.equal(made.lookup(torch.tensor([[1, 0]])), torch.tensor([[[4.0, 0.0], [0.0, 0.0]]]))


def test_three_steps_equal_vector_quantize_pytorch() -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    torch.manual_seed(0)
    config = BottleneckConfig(codes=8, dim=4, normalise="none", restart=0.0, beta=0.25, ema_decay=0.9)
    made = VectorQuantizer(config).train()
    made.total.copy_(made.codebook)
    made.started.fill_(True)
    theirs = library.VectorQuantize(
        dim=4, codebook_size=8, decay=0.9, commitment_weight=0.25, threshold_ema_dead_code=0, rotation_trick=False
    ).train()
    theirs._codebook.embed.copy_(made.codebook)
    theirs._codebook.embed_avg.copy_(made.codebook)
    theirs._codebook.cluster_size.fill_(1)
    theirs._codebook.initted.fill_(True)
    for _ in range(3):
        latents = torch.randn(2, 4, 50)
        ours = made(latents)
        quantised, indices, commitment = theirs(latents.transpose(1, 2))
        assert torch.equal(ours.indices, indices)
        # It smooths the counts a little.
        assert torch.allclose(ours.latents, quantised.transpose(1, 2), atol=1e-4)
        assert ours.losses["commitment"].item() == pytest.approx(commitment.item(), abs=1e-5)
        assert torch.allclose(made.codebook, theirs._codebook.embed[0], atol=1e-4)
