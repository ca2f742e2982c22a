"""The compiled sampler's loops: one WaveNet, S streams of one core, one sample after another.

Matrices are packed by `packing.py`. All arrays are flat; what several streams have, the streams' rows hold in turn.
"""

from typing import NamedTuple

import numpy as np

from vqspeech.models.output import Logistics
from vqspeech.vector import ONE, PANEL, compiled, exp, multiply_add, put

CHUNK = 8
"""Samples whose products with inputs at least as long ago are done together, with one pass over those weights."""

ZERO, TWO = np.float32(0), np.float32(2)
SATURATED, VANISHED = np.float32(15), np.float32(-80)
SMALLEST_LOG_SCALE, EDGE = np.float32(Logistics.SMALLEST_LOG_SCALE), np.float32(1e-5)


class Matrix(NamedTuple):
    """Packed matrices of one size, one after another."""

    weights: np.ndarray
    outputs: int
    words: int
    """Of one output: one for each input, or for each two."""
    size: int
    """Words of one matrix."""


class Network(NamedTuple):
    """A decoder's weights. Widths are padded to whole panels."""

    width: int
    """Residual channels R."""
    skip: int
    mixtures: int
    """Of logistics; 0 for mu-law."""
    room: int
    """Words that R inputs take in the form that products read."""
    skip_room: int
    """And the skip channels."""
    dilations: np.ndarray
    queues: np.ndarray
    """Where the queue of each layer begins, in slots `[L + 1]`."""
    embedding: np.ndarray
    """Past sample to residual channels: `[256, R]` for mu-law; weight and bias `[2, R]` otherwise."""
    past: Matrix
    """R -> 2R: of each layer the taps on past inputs, the nearest first."""
    current: Matrix
    """R -> 2R: of each layer the tap on the current input."""
    onward: Matrix
    """R -> R + skip: of each layer the residual and the skip product."""
    onward_bias: np.ndarray
    hidden: Matrix
    hidden_bias: np.ndarray
    final: Matrix
    final_bias: np.ndarray
    values: np.ndarray
    """The sample that each mu-law class stands for `[256]`."""


class Streams(NamedTuple):
    """What S streams keep from sample to sample, and room to work in."""

    count: int
    clock: np.ndarray
    """Samples so far `[1]`."""
    past: np.ndarray
    """The previous sample `[S]`: its class for mu-law, its value otherwise."""
    queue: np.ndarray
    """Inputs of every layer, in the form that products read `[slots, S, room]`."""
    gates: np.ndarray
    """Of every layer for the samples of a chunk `[L, CHUNK, S, 2R]`."""
    state: np.ndarray
    """Residual and skip channels `[S, R + skip]`."""
    operand: np.ndarray
    """What the next product reads `[S, ...]`."""
    parameters: np.ndarray
    """Of the output `[S, channels]`."""
    scratch: np.ndarray


@compiled
def gate(sums: np.ndarray, at: int, width: int, activation: np.ndarray) -> None:
    """tanh of the first half times the logistic function of the second, with one division."""
    for j in range(width):
        a = exp(-TWO * min(max(sums[at + j], -SATURATED), SATURATED))
        b = exp(-min(max(sums[at + width + j], -TWO * SATURATED), TWO * SATURATED))
        activation[j] = (ONE - a) / ((ONE + a) * (ONE + b))


@compiled
def product(
    matrix: Matrix,
    number: int,
    inputs: np.ndarray,
    inputs_at: int,
    room: int,
    sums: np.ndarray,
    sums_at: int,
    stride: int,
    rows: int,
) -> None:
    """Add matrix times inputs to the sums of `rows` rows; a panel stays in the cache for all of them."""
    for panel in range(0, matrix.outputs, PANEL):
        weights_at = number * matrix.size + panel * matrix.words
        for row in range(rows):
            multiply_add(
                sums, sums_at + row * stride + panel, matrix.weights, weights_at, inputs, inputs_at + row * room,
                matrix.words,
            )  # fmt: skip


@compiled
def look_ahead(network: Network, streams: Streams, conditioning: np.ndarray, frame: int, count: int) -> None:
    """Begin the gates of the next `count` samples with all that is known: conditioning and inputs before this chunk."""
    rows, room, stride, past = streams.count, network.room, 2 * network.width, network.past
    layers, clock = len(network.dilations), streams.clock[0]
    taps = past.weights.size // (past.size * layers)
    for layer in range(layers):
        base = layer * CHUNK * rows * stride
        for i in range(count):
            for row in range(rows):
                for j in range(stride):
                    streams.gates[base + (i * rows + row) * stride + j] = conditioning[layer, frame, row, j]
        dilation = network.dilations[layer]
        if dilation < CHUNK:
            continue
        first, length = network.queues[layer], network.queues[layer + 1] - network.queues[layer]
        for tap in range(taps):
            for panel in range(0, stride, PANEL):
                weights_at = (layer * taps + tap) * past.size + panel * past.words
                for i in range(count):
                    slot = first + (clock + i - (tap + 1) * dilation) % length
                    for row in range(rows):
                        multiply_add(
                            streams.gates, base + (i * rows + row) * stride + panel, past.weights, weights_at,
                            streams.queue, (slot * rows + row) * room, past.words,
                        )  # fmt: skip


@compiled
def step(network: Network, streams: Streams, i: int) -> None:
    """The output's parameters for the chunk's sample i, from the previous samples in `streams.past`."""
    width, skip, room, rows, past = network.width, network.skip, network.room, streams.count, network.past
    total, stride = width + skip, 2 * network.width
    layers, clock = len(network.dilations), streams.clock[0]
    taps = past.weights.size // (past.size * layers)
    state, operand, scratch = streams.state, streams.operand, streams.scratch
    for row in range(rows):
        begin_state(network, streams.past[row], state, row * total)
    for layer in range(layers):
        first, length = network.queues[layer], network.queues[layer + 1] - network.queues[layer]
        gates_at = (layer * CHUNK + i) * rows * stride
        for row in range(rows):
            put(operand, row * room, state, row * total, width)
        if network.dilations[layer] < CHUNK:
            for tap in range(taps):
                slot = first + (clock - (tap + 1) * network.dilations[layer]) % length
                product(
                    past, layer * taps + tap, streams.queue, slot * rows * room, room,
                    streams.gates, gates_at, stride, rows,
                )  # fmt: skip
        product(network.current, layer, operand, 0, room, streams.gates, gates_at, stride, rows)
        slot = first + clock % length
        for j in range(rows * room):
            streams.queue[slot * rows * room + j] = operand[j]
        for row in range(rows):
            gate(streams.gates, gates_at + row * stride, width, scratch)
            put(operand, row * room, scratch, 0, width)
            for j in range(total):
                state[row * total + j] += network.onward_bias[layer * total + j]
        product(network.onward, layer, operand, 0, room, state, 0, total, rows)
    for row in range(rows):
        rectify(state, row * total + width, skip, network.hidden_bias, operand, row * network.skip_room, scratch)
    product(network.hidden, 0, operand, 0, network.skip_room, state, width, total, rows)
    channels = network.final.outputs
    for row in range(rows):
        rectify(state, row * total + width, skip, network.hidden_bias, operand, row * network.skip_room, scratch)
        for j in range(channels):
            streams.parameters[row * channels + j] = network.final_bias[j]
    product(network.final, 0, operand, 0, network.skip_room, streams.parameters, 0, channels, rows)
    streams.clock[0] = clock + 1


@compiled
def begin_state(network: Network, past: float, state: np.ndarray, at: int) -> None:
    """The first layer's input for a past sample, and empty skip channels."""
    width = network.width
    for j in range(width):
        if network.mixtures == 0:
            state[at + j] = network.embedding[np.int64(past) * width + j]
        else:
            state[at + j] = network.embedding[j] * past + network.embedding[width + j]
    for j in range(width, width + network.skip):
        state[at + j] = ZERO


@compiled
def rectify(
    state: np.ndarray, at: int, skip: int, bias: np.ndarray, operand: np.ndarray, operand_at: int, scratch: np.ndarray
) -> None:
    """Make the positive part of the skip channels the next operand, and begin their next sums with a bias."""
    for j in range(skip):
        scratch[j] = max(state[at + j], ZERO)
        state[at + j] = bias[j]
    put(operand, operand_at, scratch, 0, skip)


@compiled
def draw_class(
    logits: np.ndarray, at: int, classes: int, temperature: float, uniform: float, scratch: np.ndarray
) -> int:
    """One of `classes` classes by the softmax of logits over temperature; temperature 0 takes the likeliest."""
    best = 0
    for j in range(1, classes):
        if logits[at + j] > logits[at + best]:
            best = j
    if temperature == ZERO:
        return best
    top, sharpness = logits[at + best], ONE / temperature
    for j in range(classes):
        scratch[j] = exp(max((logits[at + j] - top) * sharpness, VANISHED))
    for j in range(1, classes):
        scratch[j] += scratch[j - 1]
    threshold = uniform * scratch[classes - 1]
    drawn = 0
    while drawn < classes - 1 and scratch[drawn] <= threshold:
        drawn += 1
    return drawn


@compiled
def draw_logistic(
    parameters: np.ndarray, at: int, mixtures: int, temperature: float, uniform: np.ndarray, scratch: np.ndarray
) -> float:
    """A sample in [-1, 1] of a mixture of logistics, by two uniform numbers: the component, then the sample."""
    component = draw_class(parameters, at, mixtures, temperature, uniform[0], scratch)
    sample = parameters[at + mixtures + component]
    if temperature > ZERO:
        log_scale = max(parameters[at + 2 * mixtures + component], SMALLEST_LOG_SCALE)
        chance = min(max(uniform[1], EDGE), ONE - EDGE)
        sample += np.float32(np.exp(log_scale) * temperature * np.log(chance / (ONE - chance)))
    return min(max(sample, -ONE), ONE)


@compiled
def draw(
    network: Network,
    streams: Streams,
    conditioning: np.ndarray,
    uniform: np.ndarray,
    temperature: float,
    waveform: np.ndarray,
) -> None:
    """Continue every stream: conditioning `[L, n, S, 2R]`, uniform `[n * hop, S, draws]` -> waveform `[n * hop, S]`."""
    hop, channels = waveform.shape[0] // conditioning.shape[1], network.final.outputs
    for frame in range(conditioning.shape[1]):
        for begin in range(0, hop, CHUNK):
            count = min(CHUNK, hop - begin)
            look_ahead(network, streams, conditioning, frame, count)
            for i in range(count):
                step(network, streams, i)
                t = frame * hop + begin + i
                for row in range(streams.count):
                    at, chances = row * channels, uniform[t, row]
                    if network.mixtures == 0:
                        classes = len(network.values)
                        drawn = draw_class(
                            streams.parameters, at, classes, temperature, chances[0], streams.scratch
                        )
                        streams.past[row], waveform[t, row] = np.float32(drawn), network.values[drawn]
                    else:
                        sample = draw_logistic(
                            streams.parameters, at, network.mixtures, temperature, chances, streams.scratch
                        )
                        streams.past[row], waveform[t, row] = sample, sample


@compiled
def predict(
    network: Network, streams: Streams, conditioning: np.ndarray, past: np.ndarray, parameters: np.ndarray
) -> None:
    """Teacher forcing: previous samples `[n * hop, S]` as `Streams.past` has them -> parameters `[n * hop, S, channels]`."""
    hop, channels = past.shape[0] // conditioning.shape[1], network.final.outputs
    for frame in range(conditioning.shape[1]):
        for begin in range(0, hop, CHUNK):
            count = min(CHUNK, hop - begin)
            look_ahead(network, streams, conditioning, frame, count)
            for i in range(count):
                t = frame * hop + begin + i
                for row in range(streams.count):
                    streams.past[row] = past[t, row]
                step(network, streams, i)
                for row in range(streams.count):
                    for j in range(parameters.shape[2]):
                        parameters[t, row, j] = streams.parameters[row * channels + j]
