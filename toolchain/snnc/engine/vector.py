"""Vectors of the processor for the engine's kernels: a row of bits, one bit a sample, and the operations on it that numba lacks.

A row is `LANES` bits. Kernels keep rows in variables, which LLVM keeps in vector registers of whatever width there is.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

WORDS = 8  # 64-bit words of a row
LANES = 64 * WORDS
GROUP = 16  # bits whose transposition makes one integer
EACH = LANES // GROUP  # samples that one vector operation of a neuron's step computes

intrinsic: Any = extending.intrinsic  # numba does not type what it makes

_BITS = ir.VectorType(ir.IntType(64), WORDS)


class _RowType(types.Type):
    """numba's name for a row of bits."""

    def __init__(self) -> None:
        super().__init__(name=f"Row{LANES}")


row: Any = _RowType()


@register_model(_RowType)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, declared: Any) -> None:
        super().__init__(manager, declared, _BITS)  # type: ignore[no-untyped-call]


def pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    """The address of a vector that starts at element ``at`` of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def splat(value: Any, vector: Any) -> Any:
    """A constant vector of one value."""
    return ir.Constant(vector, [value] * vector.count)


def spread(builder: Any, value: Any, vector: Any) -> Any:
    """A vector of one value that is known when it runs."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def load_vector(builder: Any, address: Any, align: int) -> Any:
    """A vector from an address that is aligned to its elements only."""
    value = builder.load(address)
    value.align = align
    return value


def store_vector(builder: Any, value: Any, address: Any, align: int) -> None:
    """A vector to an address that is aligned to its elements only."""
    builder.store(value, address).align = align


@intrinsic
def load(typing: Any, rows: Any, at: Any) -> Any:
    """Row number ``at`` of an array of 64-bit words, (rows, WORDS)."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        start = builder.mul(given[1], ir.Constant(given[1].type, WORDS))
        return load_vector(builder, pointer(context, builder, signature.args[0], given[0], start, _BITS), 8)

    return row(rows, types.intp), generate


@intrinsic
def store(typing: Any, rows: Any, at: Any, value: Any) -> Any:
    """Put a row at number ``at`` of an array of 64-bit words."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        start = builder.mul(given[1], ir.Constant(given[1].type, WORDS))
        store_vector(builder, given[2], pointer(context, builder, signature.args[0], given[0], start, _BITS), 8)
        return context.get_dummy_value()

    return types.void(rows, types.intp, row), generate


@intrinsic
def parity(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Of three bits the lower bit of their sum, for each sample."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.xor(given[0], builder.xor(given[1], given[2]))

    return row(row, row, row), generate


@intrinsic
def majority(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Of three bits the upper bit of their sum, for each sample."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        x, y, z = given
        unlike = builder.xor(y, z)  # which `parity` needs as well
        return builder.or_(builder.and_(unlike, x), builder.and_(builder.not_(unlike), y))

    return row(row, row, row), generate


@intrinsic
def complement(typing: Any, a: Any) -> Any:
    """Every bit turned round."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.not_(given[0])

    return row(row), generate


@intrinsic
def both(typing: Any, a: Any, b: Any) -> Any:
    """The bits that are set in both rows."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.and_(given[0], given[1])

    return row(row, row), generate


@intrinsic
def repeat(typing: Any, word: Any) -> Any:
    """A row of one 64-bit word."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return spread(builder, given[0], _BITS)

    return row(types.uint64), generate


@intrinsic
def transpose(typing: Any, rows: Any, at: Any) -> Any:
    """Turn 16 rows, the bits of a number from lowest to highest, into 16-bit integers, in place.

    Afterwards row l holds, as its g-th 16-bit element, the number of sample 16 * g + l. By the swaps of ever smaller blocks
    in Hacker's Delight, section 7-3.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        start = builder.mul(given[1], ir.Constant(given[1].type, WORDS))
        address = pointer(context, builder, signature.args[0], given[0], start, _BITS)
        places = [builder.gep(address, [ir.Constant(ir.IntType(64), i)]) for i in range(GROUP)]
        bits = [load_vector(builder, place, 8) for place in places]
        for distance in (8, 4, 2, 1):
            kept = sum(1 << bit for bit in range(64) if not bit & distance)
            for low in (i for i in range(GROUP) if not i & distance):
                _swap(builder, bits, low, low + distance, distance, kept)
        for value, place in zip(bits, places, strict=True):
            store_vector(builder, value, place, 8)
        return context.get_dummy_value()

    return types.void(rows, types.intp), generate


def _swap(builder: Any, bits: list[Any], low: int, high: int, distance: int, kept: int) -> None:
    shift, mask = splat(distance, _BITS), splat(kept, _BITS)
    moved = builder.and_(builder.xor(builder.lshr(bits[low], shift), bits[high]), mask)
    bits[high] = builder.xor(bits[high], moved)
    bits[low] = builder.xor(bits[low], builder.shl(moved, shift))
