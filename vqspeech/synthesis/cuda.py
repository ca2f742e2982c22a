"""Samplers for a GPU: many streams by CUDA graphs, few by one Triton kernel that keeps a stream on one processor."""

import torch
from torch import Tensor
from torch.nn import functional

from vqspeech.models.output import Logistics, MuLaw, mu_law_decode
from vqspeech.models.wavenet import WaveNet
from vqspeech.synthesis.padded import pad_weights


class GraphSampler:
    """A WaveNet at work on B streams in plain torch, whose launches for a whole frame are recorded once and replayed.

    The recording needs every tensor in its place: pasts lie in one queue for all layers, and where in it a layer reads
    and writes is itself computed on the device. On a CPU nothing is recorded, which serves to test the arithmetic.
    """

    def __init__(self, decoder: WaveNet, streams: int) -> None:
        config, device = decoder.config, decoder.dilated.device
        self.decoder = decoder
        layers, taps, width = len(decoder.dilations), config.kernel - 1, config.residual
        # Of every layer the weights on [input of one dilation ago, of two, ..., current input].
        self.dilated = torch.cat([decoder.dilated[:, 1:], decoder.dilated[:, :1]], dim=1).reshape(layers, -1, 2 * width)
        dilations = torch.tensor(decoder.dilations, device=device)
        self.lengths = taps * dilations
        self.begins = self.lengths.cumsum(0) - self.lengths
        self.back = torch.arange(1, taps + 1, device=device) * dilations.unsqueeze(1)
        self.queue = torch.zeros(int(self.lengths.sum()), streams, width, device=device)
        self.clock = torch.zeros((), dtype=torch.int64, device=device)
        self.previous = torch.zeros(streams, device=device)
        self.gates = torch.zeros(layers, streams, 2 * width, device=device)
        self.uniform = torch.zeros(decoder.hop, streams, decoder.output.draws, device=device)
        self.waveform = torch.zeros(decoder.hop, streams, device=device)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.temperature: float | None = None

    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, B, 2R]`, uniform `[n * hop, B, draws]` -> samples `[n * hop, B]`."""
        if self.temperature != temperature:
            self.temperature, self.graph = temperature, None
        frames = []
        for frame, chances in enumerate(uniform.to(gates.device).split(self.decoder.hop)):
            self.gates.copy_(gates[:, frame])
            self.uniform.copy_(chances)
            self._frame()
            frames.append(self.waveform.clone())
        return torch.cat(frames)

    def predict(self, gates: Tensor, past: Tensor) -> Tensor:
        """The output's parameters `[n * hop, B, channels]` when the sample before each is given, `[n * hop, B]`."""
        parameters = []
        for t, previous in enumerate(past):
            self.gates.copy_(gates[:, t // self.decoder.hop])
            parameters.append(self._step(self.decoder.output.past(previous)))
        return torch.stack(parameters)

    def _frame(self) -> None:
        """Draw one frame from what lies in `gates` and `uniform` into `waveform`."""
        if self.gates.device.type != "cuda":
            self._draw_frame()
        elif self.graph is None:
            state = [tensor.clone() for tensor in (self.queue, self.clock, self.previous)]
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self._draw_frame()  # libraries set themselves up outside of the recording
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._draw_frame()
            for tensor, before in zip((self.queue, self.clock, self.previous), state, strict=True):
                tensor.copy_(before)
            self.graph.replay()
        else:
            self.graph.replay()

    def _draw_frame(self) -> None:
        output = self.decoder.output
        for t in range(self.decoder.hop):
            parameters = self._step(output.past(self.previous))
            self.previous.copy_(output.sample(parameters, self.temperature, self.uniform[t]))
            self.waveform[t].copy_(self.previous)

    def _step(self, past: Tensor) -> Tensor:
        """Past samples as `Output.past` gives them, `[B]` -> the output's parameters `[B, channels]`."""
        decoder = self.decoder
        reads = self.begins.unsqueeze(1) + (self.clock - self.back) % self.lengths.unsqueeze(1)
        writes = (self.begins + self.clock % self.lengths).unsqueeze(1)
        x = decoder.past(past)
        activations = []
        for i, weight in enumerate(self.dilated):
            taps = self.queue.index_select(0, reads[i])
            self.queue.index_copy_(0, writes[i], x.unsqueeze(0))
            inputs = torch.cat([*taps, x], dim=1)
            tanh, sigmoid = torch.addmm(self.gates[i], inputs, weight).chunk(2, dim=1)
            activations.append(tanh.tanh() * sigmoid.sigmoid())
            if i + 1 < len(self.dilated):
                x = x + torch.addmm(decoder.residual_bias[i], activations[-1], decoder.residual[i])
        self.clock += 1
        return decoder.predict(torch.cat(activations, dim=1))


class TritonSampler:
    """A WaveNet at work on B streams, each by a program of its own: one launch for many samples, low latency.

    Weights are read from the GPU's cache, in float32. Widths are padded to powers of two.
    """

    def __init__(self, decoder: WaveNet, streams: int) -> None:
        config, device = decoder.config, decoder.dilated.device
        self.decoder = decoder
        mu_law = isinstance(decoder.output, MuLaw)
        self.weights = pad_weights(decoder, _power_of_two)
        dilations = torch.tensor(decoder.dilations, dtype=torch.int32, device=device)
        lengths = (config.kernel - 1) * dilations
        self.places = {"dilations": dilations, "begins": (lengths.cumsum(0) - lengths).int()}
        self.slots = int(lengths.sum())
        layers, width, skip = self.weights.skip.shape
        self.shape = {
            "layers": layers, "taps": config.kernel - 1, "R": width, "S": skip, "C": len(self.weights.final_bias),
            "channels": decoder.output.channels, "mixtures": 0 if mu_law else decoder.output.channels // 3,
        }  # fmt: skip
        self.queue = torch.zeros(streams, self.slots, width, device=device)
        # Begins at a multiple of every layer's length, so that no slot's number is negative.
        self.clock = torch.full((streams,), int(lengths.max()), dtype=torch.int32, device=device)
        self.previous = decoder.output.past(torch.zeros(streams, device=device)).reshape(streams).float()

    def draw(self, gates: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Continue by n frames: gates `[L, n, B, 2R]`, uniform `[n * hop, B, draws]` -> samples `[n * hop, B]`."""
        # Triton takes a second to import, and only GPUs need it.
        from vqspeech.synthesis.triton_kernel import draw

        samples, streams, _ = uniform.shape
        residual, width = self.decoder.config.residual, self.shape["R"]
        padded = functional.pad(gates.float().unflatten(3, (2, residual)), (0, width - residual)).contiguous()
        drawn = torch.empty(samples, streams, device=gates.device)
        draw[(streams,)](
            waveform=drawn, previous=self.previous, clocks=self.clock, queue=self.queue, gates=padded,
            uniform=uniform.to(gates.device).contiguous(), **self.weights._asdict(), **self.places, slots=self.slots,
            samples=samples, streams=streams, hop=self.decoder.hop, temperature=float(temperature),
            smallest_log_scale=Logistics.SMALLEST_LOG_SCALE, **self.shape,
        )  # fmt: skip
        return mu_law_decode(drawn) if self.shape["mixtures"] == 0 else drawn


def _power_of_two(size: int) -> int:
    return 1 << (size - 1).bit_length()
