"""The compiled sampler: streams over threads, each thread in numba's machine code."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Timer
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from vqspeech.models.wavenet import WaveNet
from vqspeech.progress import say
from vqspeech.synthesis import kernel
from vqspeech.synthesis.packing import empty_streams, pack_network

_compiling = Lock()


class CpuSampler:
    """A WaveNet at work on B streams, some on each thread, which share one pass over the weights for each sample.

    What a stream gives depends neither on the others nor on the number of threads. With `half` the weights are
    rounded to bfloat16 and, where the processor multiplies pairs of them, what they are multiplied with is too.
    """

    def __init__(self, decoder: WaveNet, streams: int, half: bool = True, threads: int | None = None) -> None:
        self.decoder = decoder
        self.network = pack_network(decoder, half)
        threads = min(streams, threads or torch.get_num_threads())
        self.parts = np.array_split(np.arange(streams), threads)
        silence = float(self._past(torch.zeros(1))[0])
        self.streams = [empty_streams(self.network, len(part), silence) for part in self.parts]
        self.pool = ThreadPoolExecutor(threads)

    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, B, 2R]`, uniform `[n * hop, B, draws]` -> samples `[n * hop, B]`."""

        def work(streams: kernel.Streams, conditioning: np.ndarray, part: np.ndarray) -> np.ndarray:
            chances = np.ascontiguousarray(uniform.numpy()[:, part])
            waveform = np.empty(chances.shape[:2], np.float32)
            _run(kernel.draw, self.network, streams, conditioning, chances, np.float32(temperature), waveform)
            return waveform

        return self._spread(work, gates)

    def predict(self, gates: Tensor, past: Tensor) -> Tensor:
        """The output's parameters `[n * hop, B, channels]` when the sample before each is given, `[n * hop, B]`."""
        before = self._past(past)

        def work(streams: kernel.Streams, conditioning: np.ndarray, part: np.ndarray) -> np.ndarray:
            given = np.ascontiguousarray(before[:, part])
            parameters = np.empty((*given.shape, self.decoder.output.channels), np.float32)
            _run(kernel.predict, self.network, streams, conditioning, given, parameters)
            return parameters

        return self._spread(work, gates)

    def _past(self, waveform: Tensor) -> np.ndarray:
        """Samples as `Streams.past` has them."""
        return self.decoder.output.past(waveform).reshape(waveform.shape).float().numpy()

    def _spread(self, work: Callable[..., np.ndarray], gates: Tensor) -> Tensor:
        layers, frames, streams, _ = gates.shape
        width, residual = self.network.width, self.decoder.config.residual
        conditioning = np.zeros((layers, frames, streams, 2, width), np.float32)
        conditioning[..., :residual] = gates.float().unflatten(3, (2, residual)).numpy()
        conditioning = conditioning.reshape(layers, frames, streams, 2 * width)
        shares = [np.ascontiguousarray(conditioning[:, :, part]) for part in self.parts]
        return torch.from_numpy(np.concatenate(list(self.pool.map(work, self.streams, shares, self.parts)), axis=1))


def _run(function: Callable[..., None], *arguments: Any) -> None:
    """Call a compiled function, and say so if it has to be compiled first."""
    kinds = tuple(map(numba.typeof, arguments))
    with _compiling:
        if kinds not in function.overloads:
            notice = Timer(1.0, say, ["compiling the sampler; later starts need not where $HOME can be written to"])
            notice.start()
            function.compile(kinds)
            notice.cancel()
    function(*arguments)
