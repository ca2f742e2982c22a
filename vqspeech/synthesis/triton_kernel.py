"""The sampler's loop as one Triton kernel: a program for each stream, which waits for no other."""

import triton
import triton.language as tl


@triton.jit
def draw(
    waveform,  # [T, B] samples, or their classes for mu-law
    previous,  # [B] the last sample or class, read at the beginning and written at the end
    clocks,  # [B]
    queue,  # [B, slots, R]
    gates,  # [L, N, B, 2R]
    uniform,  # [T, B, draws]
    embedding,  # [256, R] for mu-law; weight and bias [2, R] otherwise
    dilated,  # [L, taps + 1, R, 2R], the current input first
    residual,  # [L, R, R]
    residual_bias,  # [L, R]
    skip,  # [L, R, S]
    skip_bias,  # [S]
    hidden,  # [S, S]
    hidden_bias,  # [S]
    final,  # [S, C]
    final_bias,  # [C]
    dilations,  # [L]
    begins,  # [L] where in the queue a layer's slots begin
    slots,
    samples,
    streams,
    hop,
    temperature,
    smallest_log_scale,
    layers: tl.constexpr,
    taps: tl.constexpr,
    R: tl.constexpr,
    S: tl.constexpr,
    C: tl.constexpr,
    channels: tl.constexpr,  # of the output, at most C
    mixtures: tl.constexpr,  # of logistics; 0 for mu-law
):
    """Draw `samples` samples of stream `program_id(0)`."""
    stream = tl.program_id(0)
    r, s, c = tl.arange(0, R), tl.arange(0, S), tl.arange(0, C)
    square, wide = r[:, None] * R + r[None, :], r[:, None] * (2 * R) + r[None, :]
    past = tl.load(previous + stream)
    clock = tl.load(clocks + stream)
    own = queue + stream * slots * R
    frames = samples // hop
    # Not `for`: the interpreter of Triton 3.6 knows no range over a tensor with numpy 2.4.
    t = 0
    while t < samples:
        if mixtures == 0:
            x = tl.load(embedding + past.to(tl.int32) * R + r)
        else:
            x = tl.load(embedding + r) * past + tl.load(embedding + R + r)
        total = tl.load(skip_bias + s)
        for layer in range(layers):
            dilation, begin = tl.load(dilations + layer), tl.load(begins + layer)
            at = gates + ((layer * frames + t // hop) * streams + stream) * 2 * R
            a, b = tl.load(at + r), tl.load(at + R + r)
            weight = dilated + layer * (taps + 1) * R * 2 * R
            a += tl.sum(tl.load(weight + wide) * x[:, None], axis=0)
            b += tl.sum(tl.load(weight + R + wide) * x[:, None], axis=0)
            for tap in range(1, taps + 1):
                # Positive, since the clock begins at the longest way back.
                slot = begin + (clock - tap * dilation) % (taps * dilation)
                before = tl.load(own + slot * R + r)
                a += tl.sum(tl.load(weight + tap * R * 2 * R + wide) * before[:, None], axis=0)
                b += tl.sum(tl.load(weight + tap * R * 2 * R + R + wide) * before[:, None], axis=0)
            # All have read their past before it is overwritten, and see it before they read it again.
            tl.debug_barrier()
            tl.store(own + (begin + clock % (taps * dilation)) * R + r, x)
            tl.debug_barrier()
            activation = (2 * tl.sigmoid(2 * a) - 1) * tl.sigmoid(b)
            x += tl.load(residual_bias + layer * R + r)
            x += tl.sum(tl.load(residual + layer * R * R + square) * activation[:, None], axis=0)
            to_skip = tl.load(skip + layer * R * S + r[:, None] * S + s[None, :])
            total += tl.sum(to_skip * activation[:, None], axis=0)
        total = tl.maximum(total, 0.0)
        total = tl.load(hidden_bias + s) + tl.sum(
            tl.load(hidden + s[:, None] * S + s[None, :]) * total[:, None], axis=0
        )
        total = tl.maximum(total, 0.0)
        parameters = tl.load(final_bias + c)
        parameters += tl.sum(tl.load(final + s[:, None] * C + c[None, :]) * total[:, None], axis=0)
        classes: tl.constexpr = channels if mixtures == 0 else mixtures
        chances = uniform + (t * streams + stream) * (1 if mixtures == 0 else 2)
        logits = tl.where(c < classes, parameters, float("-inf"))
        if temperature == 0:
            drawn = tl.argmax(logits, axis=0)
        else:
            odds = tl.exp((logits - tl.max(logits, axis=0)) / temperature)
            reached = tl.cumsum(odds, axis=0) <= tl.load(chances) * tl.sum(odds, axis=0)
            drawn = tl.minimum(tl.sum(reached.to(tl.int32), axis=0), classes - 1)
        if mixtures == 0:
            past = drawn.to(tl.float32)
        else:
            past = tl.sum(tl.where(c == mixtures + drawn, parameters, 0.0), axis=0)
            if temperature > 0:
                log_scale = tl.sum(tl.where(c == 2 * mixtures + drawn, parameters, 0.0), axis=0)
                chance = tl.minimum(tl.maximum(tl.load(chances + 1), 1e-5), 1 - 1e-5)
                scale = tl.exp(tl.maximum(log_scale, smallest_log_scale)) * temperature
                past += scale * (tl.log(chance) - tl.log(1 - chance))
            past = tl.minimum(tl.maximum(past, -1.0), 1.0)
        tl.store(waveform + t * streams + stream, past)
        clock += 1
        t += 1
    tl.store(previous + stream, past)
    tl.store(clocks + stream, clock)
