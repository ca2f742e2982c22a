import pytest
import torch

from vqspeech.config import BottleneckConfig
from vqspeech.models.bottleneck.fsq import FiniteScalar


def quantizer(*levels: int) -> FiniteScalar:
    torch.manual_seed(0)
    return FiniteScalar(BottleneckConfig(name="fsq", dim=5, levels=levels))


@pytest.mark.parametrize("levels", [(8, 8, 8), (3, 4, 5), (2,)])
def test_every_code_is_reached_and_comes_back_from_its_numbers(levels: tuple[int, ...]) -> None:
    made = quantizer(*levels)
    assert made.codes == torch.tensor(levels).prod()
    rounded = made.bound(torch.randn(200_000, len(levels)) * 3).round().long()
    for place, count in enumerate(levels):
        assert rounded[:, place].unique().tolist() == list(range(-(count // 2), (count + 1) // 2))
    indices = torch.arange(made.codes).unsqueeze(0)
    assert len(made.lookup(indices)[0].t().unique(dim=0)) == made.codes


def test_indices_count_in_mixed_radix_by_hand() -> None:
    made = quantizer(3, 5)
    made.enter.weight.data.zero_()
    made.enter.weight.data[0, 0, 0] = made.enter.weight.data[1, 1, 0] = 1
    made.enter.bias.data.zero_()
    latents = torch.zeros(1, 5, 3)
    latents[0, 0] = torch.tensor([-9.0, 0.0, 9.0])  # -1, 0, 1 of three levels
    latents[0, 1] = torch.tensor([9.0, 0.0, -9.0])  # 2, 0, -2 of five
    assert made(latents).indices.tolist() == [[0 + 3 * 4, 1 + 3 * 2, 2 + 3 * 0]]


def test_rounding_has_the_gradient_of_what_it_rounds() -> None:
    made = quantizer(8, 8)
    latents = torch.randn(2, 5, 7, requires_grad=True)
    through = made(latents).latents
    smooth = made._leave(made.bound(made.enter(latents).transpose(1, 2)))
    weights = torch.randn_like(through)
    got, expected = (torch.autograd.grad((form * weights).sum(), latents)[0] for form in (through, smooth))
    assert torch.allclose(got, expected, atol=1e-6)


def test_equals_vector_quantize_pytorch() -> None:
    library = pytest.importorskip("vector_quantize_pytorch")
    made = quantizer(8, 5, 4)
    theirs = library.FSQ([8, 5, 4])
    numbers = torch.randn(2, 50, 3) * 2
    codes, indices = theirs(numbers)
    rounded = made.bound(numbers).round()
    assert torch.allclose(rounded / (made.levels // 2), codes, atol=1e-5)
    assert torch.equal(((rounded.long() + made.levels // 2) * made.places).sum(-1), indices.long())
