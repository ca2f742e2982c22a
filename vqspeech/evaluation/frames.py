"""One framing for all features: frame n looks at the centre of samples [n*hop, (n+1)*hop), as code n does."""

import numpy as np


def pad_for_frames(waveform: np.ndarray, window: int, hop: int) -> np.ndarray:
    """Pad `waveform` [T] with silence such that it has ceil(T / hop) frames of `window` samples."""
    frames = -(-len(waveform) // hop)
    padded = np.pad(waveform, (window // 2, window + hop))
    return padded[hop // 2 :][: (frames - 1) * hop + window]
