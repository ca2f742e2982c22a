"""The baseline every table of codes carries: k-means clusters of MFCCs, at the same rate and size.

The first-iteration targets of HuBERT (Hsu et al. 2021) are such clusters of MFCC-39.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.evaluation.mfcc import mfcc39

if TYPE_CHECKING:
    from sklearn.cluster import MiniBatchKMeans

MAX_FRAMES = 200_000


class MfccKMeans:
    """Clusters of MFCC-39 that stand in for a codec: `codes` clusters, one a frame of `hop` samples.

    `centred` takes each utterance's mean off first, with which goes much of voice and room (cepstral mean
    normalisation; Atal 1974).
    """

    def __init__(self, codes: int, sample_rate: int, hop: int, seed: int = 0, centred: bool = False) -> None:
        self.codes = codes
        self.sample_rate = sample_rate
        self.hop = hop
        self.seed = seed
        self.centred = centred
        self.clusters: MiniBatchKMeans | None = None

    def fit(self, waveforms: Iterable[np.ndarray]) -> "MfccKMeans":
        """Fit the clusters to `waveforms` ([T] each): at most 200,000 of their frames, evenly spread."""
        from sklearn.cluster import MiniBatchKMeans

        features = np.concatenate([self.features(waveform) for waveform in waveforms])
        features = features[:: -(-len(features) // MAX_FRAMES)]
        count = min(self.codes, len(features))  # a toy corpus can have fewer frames than codes
        clusters = MiniBatchKMeans(count, batch_size=4096, n_init=1, random_state=self.seed)
        self.clusters = clusters.fit(features)
        return self

    def encode(self, waveform: np.ndarray) -> np.ndarray:
        """Nearest clusters of `waveform` [T]: [ceil(T / hop)] int64."""
        if self.clusters is None:
            raise ValueError("fit the clusters before encoding with them")
        return self.clusters.predict(self.features(waveform)).astype(np.int64)

    def features(self, waveform: np.ndarray) -> np.ndarray:
        """MFCC-39 of `waveform` [T]: [ceil(T / hop), 39]."""
        features = mfcc39(waveform, self.sample_rate, self.hop)
        return features - features.mean(0) if self.centred else features
