import numpy as np
import pytest

from vqspeech.evaluation.controls import by_kind, mu_law, of_each, once
from vqspeech.evaluation.samples import Excerpt, Sample


def excerpt(speaker: str, seen: bool = True) -> Excerpt:
    return Excerpt(f"{speaker}_1", speaker, np.full(4, 0.5, np.float32), None, True, seen)


COPY = Sample(excerpt("a"), "a", np.full(4, 1.0, np.float32))
CONVERSION = Sample(excerpt("a"), "b", np.full(4, 2.0, np.float32))
UNSEEN = Sample(excerpt("x", seen=False), "b", np.full(4, 3.0, np.float32))


def test_every_kind_has_controls_of_the_same_excerpts_and_speakers() -> None:
    kinds = by_kind([COPY, UNSEEN, CONVERSION], lambda source, target: np.full(4, ord(target), np.float32))
    assert [kind.samples for kind in kinds.values()] == [[COPY], [CONVERSION], [UNSEEN]]
    firsts = {
        name: {
            control: [(one.speaker, float(one.waveform[0])) for one in made] for control, made in kind.beside.items()
        }
        for name, kind in kinds.items()
    }
    coarse = pytest.approx(0.5, abs=0.01)
    assert firsts["copies"] == {"originals": [("a", 0.5)], "mu_law": [("a", coarse)]}
    assert firsts["conversions"] == firsts["conversions_unseen"] == {"untouched": [("b", 0.5)], "world": [("b", 98.0)]}


def test_what_cannot_be_converted_is_left_out() -> None:
    assert by_kind([CONVERSION], lambda source, target: None)["conversions"].beside["world"] == []
    assert "world" not in by_kind([CONVERSION])["conversions"].beside


def test_scores_stand_beside_those_of_the_controls() -> None:
    kinds = by_kind([CONVERSION], lambda source, target: None)
    assert of_each(kinds, lambda samples: {"loudest": max(one.waveform.max() for one in samples)}) == {
        "copies": None,
        "conversions": {"loudest": 2.0, "beside": {"untouched": {"loudest": 0.5}, "world": None}},
        "conversions_unseen": None,
    }


def test_each_waveform_is_scored_once() -> None:
    scored = []
    score = once(lambda waveform: scored.append(waveform) or waveform.sum())
    assert [score(COPY.waveform), score(UNSEEN.waveform), score(COPY.waveform)] == [4.0, 12.0, 4.0]
    assert len(scored) == 2


def test_mu_law_has_256_values_and_the_noise_of_eight_bits() -> None:
    wave = np.sin(np.linspace(0, 3000, 100_000)).astype(np.float32)
    made = mu_law(wave)
    assert len(np.unique(made)) <= 256
    # 8 bits of mu-law have some 38 dB of signal to noise, whatever the level.
    for level in (1.0, 0.1):
        noise = mu_law(level * wave) - level * wave
        assert 10 * np.log10(np.mean((level * wave) ** 2) / np.mean(noise**2)) == pytest.approx(38, abs=2)
