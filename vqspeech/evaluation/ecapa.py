"""Speaker similarity by ECAPA-TDNN (Desplanques, Thienpondt and Demuynck 2020) as speechbrain trained it. Optional.

It needs the extra `audio-judges` and the weights that speechbrain published for VoxCeleb, which nothing downloads here.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vqspeech.errors import VqspeechError
from vqspeech.evaluation.judges import find_weights
from vqspeech.extras import require

PACKAGES = ("speechbrain",)
WEIGHTS = "ecapa/embedding_model.ckpt"
SAMPLE_RATE = 16000
BANDS = 80
SIZES = {
    "channels": [1024, 1024, 1024, 1024, 3072],
    "kernel_sizes": [5, 3, 3, 3, 1],
    "dilations": [1, 2, 3, 4, 1],
    "attention_channels": 128,
    "lin_neurons": 192,
}
THRESHOLD = 0.32
"""Equal error of one natural utterance of 3 s against another: 163 pairs of one speaker, 1377 of two, read speech."""


def find_ecapa(judges: Path | None = None) -> Path:
    """The file of weights; raises NotInstalled or CannotMeasure that says what is missing."""
    require(PACKAGES, "the extra audio-judges")
    return find_weights(judges, WEIGHTS)


class Ecapa:
    """The network, on the CPU. Raises VqspeechError for weights of another network."""

    def __init__(self, weights: Path) -> None:
        import torch
        from speechbrain.lobes.features import Fbank
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN
        from speechbrain.utils.importutils import LazyModule

        # speechbrain leaves modules behind that raise as soon as anybody looks at them, as `inspect` looks at all.
        for name in [name for name, module in sys.modules.items() if isinstance(module, LazyModule)]:
            del sys.modules[name]
        self._bands = Fbank(n_mels=BANDS)
        self._network = ECAPA_TDNN(BANDS, **SIZES)
        try:
            self._network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        except Exception as error:  # torch raises errors of many kinds for a damaged file
            reason = str(error).partition("\n")[0]
            raise VqspeechError(f"{weights}: no weights of ECAPA-TDNN: {reason}; fetch them anew") from error
        self._network.eval()

    def voice(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """Embedding of the voice in `waveform` [T], [192], of length 1."""
        import soxr
        import torch

        audio = torch.from_numpy(soxr.resample(waveform, sample_rate, SAMPLE_RATE))
        with torch.inference_mode():
            bands = self._bands(audio[None])
            embedding = self._network(bands - bands.mean(1, keepdim=True))[0, 0].numpy()
        return embedding / np.linalg.norm(embedding)


class EmbeddedVoices:
    """Speakers by the embeddings of their utterances.

    The similarity is the mean cosine to them and so on the scale of one utterance against another, for which
    `THRESHOLD` holds.
    """

    def __init__(self, training: Mapping[str, Sequence[np.ndarray]]) -> None:
        self._means = {speaker: np.mean(voices, axis=0) for speaker, voices in training.items()}

    @property
    def speakers(self) -> list[str]:
        """The speakers that are known."""
        return list(self._means)

    def add(self, speaker: str, voices: Sequence[np.ndarray]) -> None:
        """Make one more speaker known."""
        self._means[speaker] = np.mean(voices, axis=0)

    def similarity(self, voice: np.ndarray, speaker: str) -> float:
        """Mean cosine of `voice` [192] to the utterances of `speaker`."""
        return float(voice @ self._means[speaker])
