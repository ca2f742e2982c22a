"""What numba's code needs beyond numba: bfloat16, a fast exponential, products of packed weights.

`multiply_add` is a product of packed weights with one vector of inputs, in three forms, by the types of the arrays:

| weights | inputs | form |
| --- | --- | --- |
| float32 | float32 | exact |
| uint32, two bfloat16 each | float32 | weights widened in registers by a shift and a mask |
| uint32, two bfloat16 each | uint32, two bfloat16 each | the processor's dot product of pairs |
"""

from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

LANES = 16
PANEL = 4 * LANES
"""Outputs that one product works on at once, so that their sums stay in registers."""
UNROLL = 2
"""Words of input that are summed apart, since one sum would wait for the last addition."""


class _BFloat16(ir.types.HalfType):
    """llvmlite names all floating-point types but this one."""

    intrinsic_name = "bf16"

    def __str__(self) -> str:
        return "bfloat"


_WORD, _FLOAT = ir.IntType(32), ir.FloatType()
_WORDS, _FLOATS = ir.VectorType(_WORD, LANES), ir.VectorType(_FLOAT, LANES)
_PAIRS = ir.VectorType(_BFloat16(), 2 * LANES)


def jit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """As numba's `njit`; what is compiled is kept on disk wherever there is a place that can be written to."""

    def compile(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:
            # Neither the package's folder nor a home: numba has nowhere to keep it.
            return njit(**options)(function)

    return compile


compiled = jit(nogil=True, fastmath={"contract"}, error_model="numpy")
"""Multiplications and additions may fuse; nothing else may differ from what is written."""
parallel = jit(parallel=True)
"""On all cores."""

ONE = np.float32(1)
_LOG2_E, _LN2_HIGH, _LN2_LOW = np.float32(1.44269504), np.float32(0.693359375), np.float32(-2.12194440e-4)
# Adding it leaves round(x) + 127 in the lowest bits of the mantissa.
_ROUND = np.float32(1.5 * 2**23 + 127)
# Cephes' expf: exp(r) = 1 + r + r^2 * polynomial(r) for |r| <= log(2) / 2.
_C0, _C1, _C2 = np.float32(1.9875691500e-4), np.float32(1.3981999507e-3), np.float32(8.3334519073e-3)
_C3, _C4, _C5 = np.float32(4.1665795894e-2), np.float32(1.6666665459e-1), np.float32(5.0000001201e-1)


def has_pair_products() -> bool:
    """Whether this processor multiplies pairs of bfloat16 itself (AVX512-BF16)."""
    return bool(llvmlite.binding.get_host_cpu_features().get("avx512bf16", False))


@intrinsic
def multiply_add(
    typing_context: Any, sums: Any, sums_at: Any, weights: Any, weights_at: Any, inputs: Any, inputs_at: Any, words: Any
) -> Any:
    """Add the product of a panel of weights with inputs to `PANEL` sums.

    All arrays are flat: `sums[sums_at:]` float32; `weights[weights_at:]`, `words` rows of `PANEL`;
    `inputs[inputs_at:]`, `words` words, a multiple of `UNROLL`. A word of a pair holds inputs k and k + words.
    """
    signature = types.void(sums, types.intp, weights, types.intp, inputs, types.intp, types.intp)
    paired = weights.dtype == types.uint32
    packed = inputs.dtype == types.uint32

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def pointer(position: int, offset: Any, element: ir.Type) -> Any:
            array = context.make_array(signature.args[position])(context, builder, arguments[position])
            return builder.bitcast(builder.gep(array.data, [offset]), element.as_pointer())

        def broadcast(value: Any, vector: ir.VectorType) -> Any:
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _WORD(0))
            return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_WORD, LANES), [0] * LANES))

        def fused(a: Any, b: Any, c: Any) -> Any:
            return builder.fadd(builder.fmul(a, b, flags=("contract",)), c, flags=("contract",))

        if packed:
            name = "llvm.x86.avx512bf16.dpbf16ps.512"
            kind = ir.FunctionType(_FLOATS, [_FLOATS, _PAIRS, _PAIRS])
            pair_product = cgutils.get_or_insert_function(builder.module, kind, name)
        _, sums_at, _, weights_at, _, inputs_at, words = arguments
        target = pointer(0, sums_at, _FLOAT)
        vectors = PANEL // LANES
        slots = [
            builder.bitcast(builder.gep(target, [words.type(v * LANES)]), _FLOATS.as_pointer()) for v in range(vectors)
        ]
        totals = [[cgutils.alloca_once(builder, _FLOATS) for _ in range(vectors)] for _ in range(UNROLL)]
        for part in range(UNROLL):
            for v in range(vectors):
                start = builder.load(slots[v], align=4) if part == 0 else ir.Constant(_FLOATS, [0.0] * LANES)
                builder.store(start, totals[part][v])
        with cgutils.for_range_slice(builder, words.type(0), words, words.type(UNROLL), inc=True) as (k, _):
            for part in range(UNROLL):
                word = builder.add(k, words.type(part))
                at = builder.add(inputs_at, word)
                scalar = _WORD if packed else _FLOAT
                x = broadcast(builder.load(pointer(4, at, scalar), align=4), _WORDS if packed else _FLOATS)
                if paired and not packed:
                    far = builder.load(pointer(4, builder.add(at, words), _FLOAT), align=4)
                    second = broadcast(far, _FLOATS)
                for v in range(vectors):
                    row = builder.add(builder.mul(word, words.type(PANEL)), words.type(v * LANES))
                    place = pointer(2, builder.add(weights_at, row), _WORDS if paired else _FLOATS)
                    weight = builder.load(place, align=4)
                    total = builder.load(totals[part][v])
                    if packed:
                        pairs = [builder.bitcast(value, _PAIRS) for value in (x, weight)]
                        total = builder.call(pair_product, [total, *pairs])
                    elif paired:
                        low = builder.shl(weight, ir.Constant(_WORDS, [16] * LANES))
                        high = builder.and_(weight, ir.Constant(_WORDS, [0xFFFF0000] * LANES))
                        total = fused(builder.bitcast(low, _FLOATS), x, total)
                        total = fused(builder.bitcast(high, _FLOATS), second, total)
                    else:
                        total = fused(weight, x, total)
                    builder.store(total, totals[part][v])
        for v in range(vectors):
            total = builder.load(totals[0][v])
            for part in range(1, UNROLL):
                total = builder.fadd(total, builder.load(totals[part][v]))
            builder.store(total, slots[v], align=4)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def load(typing_context: Any, array: Any, at: Any) -> Any:
    """`array.flat[at]` of a contiguous array, for `at` from 0 on.

    Indexing would look whether `at` counts from the end, which keeps a loop from being vectorised.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = context.make_array(array)(context, builder, arguments[0])
        return builder.load(builder.gep(source.data, [arguments[1]]))

    return array.dtype(array, types.intp), codegen


@intrinsic
def store(typing_context: Any, array: Any, at: Any, value: Any) -> Any:
    """`array.flat[at] = value`, as `load`."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = context.make_array(array)(context, builder, arguments[0])
        builder.store(arguments[2], builder.gep(target.data, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), codegen


@intrinsic
def power_of_two(typing_context: Any, biased: Any) -> Any:
    """2**n, for n + 127 in the lowest bits of a float32's mantissa."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _WORD)
        return builder.bitcast(builder.shl(bits, _WORD(23)), _FLOAT)

    return types.float32(types.float32), codegen


@compiled
def exp(x: float) -> float:
    """e**x for x in -80..80, to float32's precision."""
    shifted = x * _LOG2_E + _ROUND
    whole = shifted - _ROUND
    r = x - whole * _LN2_HIGH - whole * _LN2_LOW
    series = ((((_C0 * r + _C1) * r + _C2) * r + _C3) * r + _C4) * r + _C5
    return (series * r * r + r + ONE) * power_of_two(shifted)


@intrinsic
def as_float32(typing_context: Any, element: Any) -> Any:
    """An element of a float32 array, or of one of bfloat16, given as their bits in uint16, as float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if element == types.float32:
            return arguments[0]
        return builder.bitcast(builder.shl(builder.zext(arguments[0], _WORD), _WORD(16)), _FLOAT)

    return types.float32(element), codegen


@intrinsic
def as_element(typing_context: Any, array: Any, value: Any) -> Any:
    """A float32 as an element of the array: as it is, or the bits of the nearest bfloat16, ties to even."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if array.dtype == types.float32:
            return arguments[1]
        return builder.trunc(builder.lshr(_rounded(builder, arguments[1]), _WORD(16)), ir.IntType(16))

    return array.dtype(array, types.float32), codegen


@intrinsic
def pair(typing_context: Any, low: Any, high: Any) -> Any:
    """Two float32, rounded to bfloat16, in one word."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low, high = (_rounded(builder, value) for value in arguments)
        return builder.or_(builder.lshr(low, _WORD(16)), builder.and_(high, _WORD(0xFFFF0000)))

    return types.uint32(types.float32, types.float32), codegen


def _rounded(builder: Any, value: Any) -> Any:
    """The bits of a float32 whose upper half is the nearest bfloat16."""
    bits = builder.bitcast(value, _WORD)
    odd = builder.and_(builder.lshr(bits, _WORD(16)), _WORD(1))
    return builder.add(bits, builder.add(odd, _WORD(0x7FFF)))


def put(target: Any, at: int, values: Any, values_at: int, count: int) -> None:
    """Write `count` float32 values where a product reads its inputs: as they are, or in pairs, by the target's type."""


@overload(put)
def _put(target: Any, at: Any, values: Any, values_at: Any, count: Any) -> Any:
    def copied(target: Any, at: Any, values: Any, values_at: Any, count: Any) -> Any:
        for j in range(count):
            store(target, at + j, load(values, values_at + j))

    def paired(target: Any, at: Any, values: Any, values_at: Any, count: Any) -> Any:
        words = count // 2
        for j in range(words):
            store(target, at + j, pair(load(values, values_at + j), load(values, values_at + words + j)))

    return copied if target.dtype == types.float32 else paired
