"""The compiled sampler's loops: one WaveNet, S streams of one core, one sample after another.

Matrices are packed by `packing.py`. All arrays are flat; what several streams have, the streams' rows hold in turn.
"""

from typing import NamedTuple

import numpy as np

from vqspeech.models.output import Logistics
from vqspeech.vector import ONE, PANEL, compiled, exp, load, multiply_add, put, store

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
        a = exp(-TWO * min(max(load(sums, at + j), -SATURATED), SATURATED))
        b = exp(-min(max(load(sums, at + width + j), -TWO * SATURATED), TWO * SATURATED))
        store(activation, j, (ONE - a) / ((ONE + a) * (ONE + b)))


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
    weights, words = matrix.weights, matrix.words
    for panel in range(0, matrix.outputs, PANEL):
        at = number * matrix.size + panel * words
        for row in range(rows):
            multiply_add(sums, sums_at + row * stride + panel, weights, at, inputs, inputs_at + row * room, words)


@compiled
def look_ahead(network: Network, streams: Streams, conditioning: np.ndarray, frame: int, count: int) -> None:
    """Begin the gates of the next `count` samples with all that is known: conditioning and inputs before this chunk."""
    rows, room, stride = streams.count, network.room, 2 * network.width
    gates, queue, dilations, queues = streams.gates, streams.queue, network.dilations, network.queues
    weights, size, words = network.past.weights, network.past.size, network.past.words
    layers, frames, clock = len(dilations), conditioning.shape[1], streams.clock[0]
    taps = len(weights) // (size * layers)
    for layer in range(layers):
        base = layer * CHUNK * rows * stride
        for i in range(count):
            put(gates, base + i * rows * stride, conditioning, (layer * frames + frame) * rows * stride, rows * stride)
        dilation, first, length = dilations[layer], queues[layer], queues[layer + 1] - queues[layer]
        if dilation < CHUNK:
            continue
        for tap in range(taps):
            for panel in range(0, stride, PANEL):
                at = (layer * taps + tap) * size + panel * words
                for i in range(count):
                    slot = first + (clock + i - (tap + 1) * dilation) % length
                    for row in range(rows):
                        sums_at = base + (i * rows + row) * stride + panel
                        multiply_add(gates, sums_at, weights, at, queue, (slot * rows + row) * room, words)


@compiled
def step(network: Network, streams: Streams, i: int) -> None:
    """The output's parameters for the chunk's sample i, from the previous samples in `streams.past`."""
    # Named once: each look into a tuple counts a reference.
    width, skip, room, rows = network.width, network.skip, network.room, streams.count
    past, current, onward, bias = network.past, network.current, network.onward, network.onward_bias
    dilations, queues, queue, gates = network.dilations, network.queues, streams.queue, streams.gates
    state, operand, scratch = streams.state, streams.operand, streams.scratch
    total, stride = width + skip, 2 * width
    layers, clock = len(dilations), streams.clock[0]
    taps = len(past.weights) // (past.size * layers)
    for row in range(rows):
        begin_state(network.embedding, network.mixtures, streams.past[row], state, row * total, width, skip)
    for layer in range(layers):
        dilation, first, length = dilations[layer], queues[layer], queues[layer + 1] - queues[layer]
        gates_at = (layer * CHUNK + i) * rows * stride
        for row in range(rows):
            put(operand, row * room, state, row * total, width)
        if dilation < CHUNK:
            for tap in range(taps):
                slot = first + (clock - (tap + 1) * dilation) % length
                product(past, layer * taps + tap, queue, slot * rows * room, room, gates, gates_at, stride, rows)
        product(current, layer, operand, 0, room, gates, gates_at, stride, rows)
        slot = first + clock % length
        for j in range(rows * room):
            store(queue, slot * rows * room + j, load(operand, j))
        for row in range(rows):
            gate(gates, gates_at + row * stride, width, scratch)
            put(operand, row * room, scratch, 0, width)
            for j in range(total):
                at = row * total + j
                store(state, at, load(state, at) + load(bias, layer * total + j))
        product(onward, layer, operand, 0, room, state, 0, total, rows)
    skip_room, hidden_bias, final_bias = network.skip_room, network.hidden_bias, network.final_bias
    parameters, channels = streams.parameters, network.final.outputs
    for row in range(rows):
        rectify(state, row * total + width, skip, hidden_bias, operand, row * skip_room, scratch)
    product(network.hidden, 0, operand, 0, skip_room, state, width, total, rows)
    for row in range(rows):
        rectify(state, row * total + width, skip, hidden_bias, operand, row * skip_room, scratch)
        put(parameters, row * channels, final_bias, 0, channels)
    product(network.final, 0, operand, 0, skip_room, parameters, 0, channels, rows)
    streams.clock[0] = clock + 1


@compiled
def begin_state(
    embedding: np.ndarray, mixtures: int, past: float, state: np.ndarray, at: int, width: int, skip: int
) -> None:
    """The first layer's input for a past sample, and empty skip channels."""
    if mixtures == 0:
        put(state, at, embedding, np.int64(past) * width, width)
    else:
        for j in range(width):
            store(state, at + j, load(embedding, j) * past + load(embedding, width + j))
    for j in range(width, width + skip):
        store(state, at + j, ZERO)


@compiled
def rectify(
    state: np.ndarray, at: int, skip: int, bias: np.ndarray, operand: np.ndarray, operand_at: int, scratch: np.ndarray
) -> None:
    """Make the positive part of the skip channels the next operand, and begin their next sums with a bias."""
    for j in range(skip):
        store(scratch, j, max(load(state, at + j), ZERO))
        store(state, at + j, load(bias, j))
    put(operand, operand_at, scratch, 0, skip)


@compiled
def draw_class(
    logits: np.ndarray, at: int, classes: int, temperature: float, uniform: float, scratch: np.ndarray
) -> int:
    """One of `classes` classes by the softmax of logits over temperature; temperature 0 takes the likeliest."""
    best = 0
    for j in range(1, classes):
        if load(logits, at + j) > load(logits, at + best):
            best = j
    if temperature == ZERO:
        return best
    top, sharpness = logits[at + best], ONE / temperature
    for j in range(classes):
        store(scratch, j, exp(max((load(logits, at + j) - top) * sharpness, VANISHED)))
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
                        drawn = draw_class(streams.parameters, at, classes, temperature, chances[0], streams.scratch)
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
    """Teacher forcing: previous samples `[n * hop, S]`, as `Streams.past` -> parameters `[n * hop, S, channels]`."""
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
