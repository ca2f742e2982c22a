from pathlib import Path

import numpy as np
import pytest

from tests.speech import RATE, voice
from vqspeech import extras
from vqspeech.errors import VqspeechError
from vqspeech.evaluation import ecapa
from vqspeech.evaluation.ecapa import Ecapa, EmbeddedVoices
from vqspeech.evaluation.missing import CannotMeasure


def test_without_package_or_weights_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(extras.NotInstalled, match=r"speechbrain .*audio-judges"):
        ecapa.find_ecapa(tmp_path)
    monkeypatch.setattr(extras, "find_spec", lambda module: object())
    with pytest.raises(CannotMeasure, match=r"embedding_model\.ckpt; .*fetch_judges\.sh"):
        ecapa.find_ecapa(tmp_path)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights of a network as deep but narrow."""
    import torch

    pytest.importorskip("speechbrain", reason="the optional judge is not installed")
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    narrow = {"channels": [16, 16, 16, 16, 48], "attention_channels": 8}
    monkeypatch.setattr(ecapa, "SIZES", ecapa.SIZES | narrow)
    torch.manual_seed(0)
    torch.save(ECAPA_TDNN(ecapa.BANDS, **ecapa.SIZES).state_dict(), tmp_path / "weights.ckpt")
    return tmp_path / "weights.ckpt"


def test_an_embedding_has_length_one_and_knows_no_loudness(weights: Path) -> None:
    heard = voice(150, 1.0, seed=1)
    judge = Ecapa(weights)
    loud, quiet = judge.voice(heard, RATE), judge.voice(0.1 * heard, RATE)
    assert loud.shape == (192,)
    assert np.linalg.norm(loud) == pytest.approx(1.0)
    assert loud @ quiet == pytest.approx(1.0, abs=0.01)
    assert np.array_equal(Ecapa(weights).voice(heard, RATE), loud)


def test_other_or_damaged_weights_are_told_in_one_line(weights: Path) -> None:
    import torch

    torch.save({"no": torch.zeros(1)}, weights)
    with pytest.raises(VqspeechError, match=r"^[^\n]*weights\.ckpt: no weights of ECAPA-TDNN: [^\n]*$"):
        Ecapa(weights)
    weights.write_bytes(b"damaged")
    with pytest.raises(VqspeechError, match=r"^[^\n]*weights\.ckpt: no weights of ECAPA-TDNN: [^\n]*$"):
        Ecapa(weights)


def test_the_similarity_is_the_mean_cosine_to_a_speaker_s_utterances() -> None:
    voices = EmbeddedVoices({"a": [np.array([1.0, 0.0]), np.array([0.0, 1.0])]})
    voices.add("b", [np.array([0.6, 0.8])])
    assert voices.speakers == ["a", "b"]
    assert voices.similarity(np.array([1.0, 0.0]), "a") == pytest.approx(0.5)
    assert voices.similarity(np.array([1.0, 0.0]), "b") == pytest.approx(0.6)
