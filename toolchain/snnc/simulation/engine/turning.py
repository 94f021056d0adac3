"""Rows and messages turned into each other's form: bits of samples, integers of samples, bytes of neurons."""

from typing import Any

from llvmlite import ir
from numba import types

from snnc.simulation.engine.vector import (  # fmt: skip
    BITS,
    GROUP,
    WORDS,
    address,
    integers,
    intrinsic,
    load_vector,
    pointer,
    row,
    splat,
    spread,
    store_vector,
)

_TALL = 64 // WORDS  # rows that hold the 64 words of a square of bits


@intrinsic
def transpose(typing: Any, rows: Any, at: Any) -> Any:
    """Turn 16 rows, the bits of a number from lowest to highest, into 16-bit integers, in place.

    Afterwards row l holds, as its g-th 16-bit element, the number of sample 16 * g + l. By the swaps of ever smaller blocks
    in Hacker's Delight, section 7-3.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        places = _places(builder, address(context, builder, signature.args[0], given, row), GROUP)
        bits = [load_vector(builder, place, 8) for place in places]
        for distance in (8, 4, 2, 1):
            for low in (i for i in range(GROUP) if not i & distance):
                _swap(builder, bits, low, low + distance, distance)
        for value, place in zip(bits, places, strict=True):
            store_vector(builder, value, place, 8)
        return context.get_dummy_value()

    return types.void(rows, types.intp), generate


def _places(builder: Any, address: Any, count: int) -> list[Any]:
    return [builder.gep(address, [ir.Constant(ir.IntType(64), i)]) for i in range(count)]


def _lower(distance: int) -> int:
    """Return the bits of a word whose number does not have the bit ``distance``."""
    return sum(1 << bit for bit in range(64) if not bit & distance)


def _swap(builder: Any, bits: list[Any], low: int, high: int, distance: int) -> None:
    shift, mask = splat(distance, BITS), splat(_lower(distance), BITS)
    moved = builder.and_(builder.xor(builder.lshr(bits[low], shift), bits[high]), mask)
    bits[high] = builder.xor(bits[high], moved)
    bits[low] = builder.xor(bits[low], builder.shl(moved, shift))


@intrinsic
def turn(typing: Any, squares: Any, at: Any) -> Any:
    """Swap the bits of square ``at`` of 64 words of 64 bits, in place: bit j of word i with bit i of word j."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        start = builder.mul(given[1], ir.Constant(given[1].type, 64))
        places = _places(builder, pointer(context, builder, signature.args[0], given[0], start, BITS), _TALL)
        bits = [load_vector(builder, place, 8) for place in places]
        for distance in (4, 2, 1):
            for low in (i for i in range(_TALL) if not i & distance):
                _swap(builder, bits, low, low + distance, distance * WORDS)
        for distance in (4, 2, 1):
            bits = [_swapped(builder, value, distance) for value in bits]
        for value, place in zip(bits, places, strict=True):
            store_vector(builder, value, place, 8)
        return context.get_dummy_value()

    return types.void(squares, types.intp), generate


def _swapped(builder: Any, bits: Any, distance: int) -> Any:
    """Run `_swap` where both words lie in one vector: each takes what it does not keep from the other, turned towards it."""
    lanes, lower = range(WORDS), _lower(distance)
    other = builder.shuffle_vector(bits, bits, integers([lane ^ distance for lane in lanes], 32))
    left = integers([64 - distance if lane & distance else distance for lane in lanes], 64)
    right = integers([distance if lane & distance else 64 - distance for lane in lanes], 64)
    kept = integers([lower << distance if lane & distance else lower for lane in lanes], 64)
    turned = builder.or_(builder.shl(other, left), builder.lshr(other, right))
    return builder.or_(builder.and_(bits, kept), builder.and_(turned, builder.not_(kept)))


@intrinsic
def bits_of(typing: Any, messages: Any, at: Any, bits: Any) -> Any:
    """Return a bit for each of 64 messages from element ``at`` of a raster on: whether it has one of the ``bits``."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = signature.args[0]
        vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), 64)
        value = load_vector(builder, pointer(context, builder, kind, given[0], given[1], vector), kind.dtype.bitwidth // 8)
        mask = builder.icmp_signed("!=", builder.and_(value, spread(builder, given[2], vector)), splat(0, vector))
        return builder.bitcast(mask, ir.IntType(64))

    return types.uint64(messages, types.intp, messages.dtype), generate


@intrinsic
def put_bits(typing: Any, messages: Any, at: Any, bits: Any) -> Any:
    """Write 64 messages of 0 and 1: the inverse of `bits_of`."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = signature.args[0]
        vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), 64)
        value = builder.zext(builder.bitcast(given[2], ir.VectorType(ir.IntType(1), 64)), vector)
        store_vector(builder, value, pointer(context, builder, kind, given[0], given[1], vector), kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(messages, types.intp, types.uint64), generate


@intrinsic
def prefetch(typing: Any, messages: Any, at: Any) -> Any:
    """Bring the line of memory with element ``at`` near, if there is one; nothing happens where there is none."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = pointer(context, builder, signature.args[0], given[0], given[1], ir.IntType(8))
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, *[word] * 3]))
        builder.call(function, [address, *(ir.Constant(word, x) for x in (0, 3, 1))])  # to read, often, data
        return context.get_dummy_value()

    return types.void(messages, types.intp), generate
