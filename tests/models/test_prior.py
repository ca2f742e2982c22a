import math

import pytest
import torch

from vqspeech.config import PriorConfig
from vqspeech.models.prior import Autoregressive, Histogram, Prior, sample
from vqspeech.settings import ConfigError

CODES = 7


@pytest.fixture
def prior() -> Autoregressive:
    torch.manual_seed(0)
    made = Autoregressive(CODES, 3, PriorConfig(width=16, layers=2, heads=2, window=5)).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed + n) for n in range(count)]


def test_histogram_by_hand() -> None:
    prior = Histogram(3, torch.tensor([7, 1, 0]))
    # One more of each: 8, 2 and 1 of 11.
    expected = torch.tensor([[8 / 11, 2 / 11, 1 / 11]]).log()
    assert torch.allclose(prior.log_prob(torch.tensor([[0, 1, 2]])), expected)
    assert torch.allclose(prior.next(None, None), expected)
    assert torch.allclose(Histogram(4).log_prob(torch.tensor([[3]])), torch.tensor([[-math.log(4)]]))


def test_probabilities_of_all_continuations_sum_to_one(prior: Autoregressive) -> None:
    begin = torch.tensor([3, 1, 4])
    sequences = torch.cat([begin.expand(CODES, 3), torch.arange(CODES).unsqueeze(1)], dim=1)
    last = prior.log_prob(sequences, torch.zeros(CODES, dtype=torch.long))[:, -1]
    assert last.exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_code_by_code_equals_the_whole_sequence(prior: Autoregressive) -> None:
    codes = torch.randint(CODES, (2, 40), generator=torch.Generator().manual_seed(0))
    speaker = torch.tensor([0, 2])
    whole = prior.log_prob(codes, speaker)
    state, before = prior.begin(2, speaker), None
    for n in range(codes.shape[1]):
        step = prior.next(state, before)
        assert torch.allclose(step.gather(1, codes[:, n : n + 1])[:, 0], whole[:, n], atol=1e-4)
        before = codes[:, n]


def test_only_the_past_counts_and_only_so_far_back(prior: Autoregressive) -> None:
    codes = torch.randint(CODES, (1, 40), generator=torch.Generator().manual_seed(0))
    before = prior.log_prob(codes)
    changed = codes.clone()
    changed[0, 20] = (codes[0, 20] + 1) % CODES
    same = prior.log_prob(changed)[0] == before[0]
    assert same[:20].all()
    assert not same[20:23].any()
    # Two layers of window 5 reach back over 8 codes besides the one before.
    assert torch.allclose(prior.log_prob(changed)[0, 30:], before[0, 30:], atol=1e-5)


def test_a_sequence_in_chunks_is_as_likely_as_the_whole(prior: Autoregressive, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = torch.randint(CODES, (2, 40), generator=torch.Generator().manual_seed(0))
    whole = prior.log_prob(codes, torch.tensor([0, 1]))
    monkeypatch.setattr("vqspeech.models.prior.CHUNK", 7)
    assert torch.allclose(prior.log_prob(codes, torch.tensor([0, 1])), whole, atol=1e-5)


def test_a_stretch_from_within_tells_the_code_before_it(prior: Autoregressive) -> None:
    codes = torch.randint(CODES, (1, 6), generator=torch.Generator().manual_seed(0))
    told = prior.log_prob(codes, before=torch.tensor([2]))
    assert not torch.allclose(told[0, 0], prior.log_prob(codes)[0, 0])


def test_the_speaker_counts_when_told(prior: Autoregressive) -> None:
    codes = torch.zeros(1, 4, dtype=torch.long)
    assert not torch.allclose(prior.log_prob(codes, torch.tensor([0])), prior.log_prob(codes, torch.tensor([1])))


def test_samples_follow_the_probabilities_and_the_seed(prior: Autoregressive) -> None:
    drawn = sample(prior, 12, generators(3), torch.tensor([0, 1, 2]))
    assert torch.equal(drawn, sample(prior, 12, generators(3), torch.tensor([0, 1, 2])))
    assert not torch.equal(drawn, sample(prior, 12, generators(3, seed=9), torch.tensor([0, 1, 2])))
    # Each has its own generator, so a sample does not depend on its neighbours.
    assert torch.equal(drawn[1], sample(prior, 12, generators(3)[1:2], torch.tensor([1]))[0])
    first = sample(prior, 1, generators(4000), torch.zeros(4000, dtype=torch.long))[:, 0]
    expected = prior.next(prior.begin(1, torch.tensor([0])), None)[0].exp()
    assert torch.allclose(torch.bincount(first, minlength=CODES) / 4000, expected, atol=0.03)


def test_a_prompt_is_kept_and_heard(prior: Autoregressive) -> None:
    prompt = torch.tensor([1, 5, 2])
    drawn = sample(prior, 6, generators(2), prompt=prompt, temperature=0)
    assert torch.equal(drawn[:, :3], prompt.expand(2, 3))
    likeliest = [prior.log_prob(torch.tensor([[1, 5, 2, code]]))[0, 3].item() for code in range(CODES)]
    assert drawn[0, 3].item() == likeliest.index(max(likeliest))


@pytest.mark.parametrize(("top_p", "allowed"), [(0.5, {0}), (0.6, {0, 1}), (0.9, {0, 1, 2}), (1.0, {0, 1, 2, 3})])
def test_top_p_keeps_the_likeliest_by_hand(top_p: float, allowed: set[int]) -> None:
    class Fixed(Prior):
        def next(self, state: object, code: torch.Tensor | None) -> torch.Tensor:
            return torch.tensor([[0.55, 0.25, 0.15, 0.05]]).log()

    drawn = sample(Fixed(), 1, generators(2000), top_p=top_p)
    assert set(drawn.flatten().tolist()) == allowed


def test_a_width_that_the_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ConfigError, match="width"):
        PriorConfig(width=18, heads=4)
