"""The codes of speech, each utterance encoded once, whatever is measured of them."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Self

import numpy as np

from vqspeech.evaluation.speech import Speech

if TYPE_CHECKING:
    from vqspeech.codec import Codec


class Coded:
    """What `encode` makes of waveforms [T]: codes [N] out of `codes`, or frames [N, D] of a continuous bottleneck."""

    def __init__(self, encode: Callable[[np.ndarray], np.ndarray], codes: int) -> None:
        self._encode, self.codes = encode, codes
        self._known: dict[tuple[Speech, str], np.ndarray] = {}

    @classmethod
    def random(cls, codes: int, hop: int) -> Self:
        """Codes that know nothing but how long the speech is."""

        def draw(waveform: np.ndarray) -> np.ndarray:
            return np.random.default_rng(len(waveform)).integers(codes, size=-(-len(waveform) // hop))

        return cls(draw, codes)

    @classmethod
    def by(cls, codec: "Codec") -> Self:
        """The codes of a model. The audio of data dirs is levelled already, as in vqspeech-units."""
        return cls(partial(codec.encode, level=False), codec.codes)

    def of(self, speech: Speech, utterances: Iterable[str]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield each utterance that can be read with its codes."""
        for utterance in utterances:
            if (speech, utterance) not in self._known:
                for _, waveform in speech.read([utterance]):
                    self._known[speech, utterance] = self._encode(waveform)
            if (speech, utterance) in self._known:
                yield utterance, self._known[speech, utterance]
