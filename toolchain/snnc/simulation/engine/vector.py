"""Vectors of the processor for the engine's kernels: a row of bits, one bit a sample, and the operations on it that numba lacks.

A row is `LANES` bits. Kernels keep rows in variables, which LLVM keeps in vector registers of whatever width there is.
"""

from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.extending import models, register_model

WORDS = 8  # 64-bit words of a row
LANES = 64 * WORDS
STEPS = 4  # whose rows lie side by side in a wide row
GROUP = 16  # bits whose transposition makes one integer
EACH = LANES // GROUP  # samples that one vector operation of a neuron's step computes

intrinsic: Any = extending.intrinsic  # numba does not type what it makes

BITS = ir.VectorType(ir.IntType(64), WORDS)


class _RowType(types.Type):
    """numba's name for a row of bits."""

    def __init__(self, words: int) -> None:
        self.words = words
        super().__init__(name=f"Row{64 * words}")


row: Any = _RowType(WORDS)
wide: Any = _RowType(STEPS * WORDS)


@register_model(_RowType)
class _RowModel(models.PrimitiveModel):
    def __init__(self, manager: Any, declared: Any) -> None:
        super().__init__(manager, declared, ir.VectorType(ir.IntType(64), declared.words))  # type: ignore[no-untyped-call]


def _row_of(rows: Any) -> Any:
    """Return the type of a row of an array of 64-bit words: (rows, WORDS), or wide, (rows, STEPS, WORDS)."""
    return wide if rows.ndim == 3 else row


def pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    """Return the address of a vector that starts at element ``at`` of a contiguous array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), vector.as_pointer())


def splat(value: Any, vector: Any) -> Any:
    """Return a constant vector of one value."""
    return ir.Constant(vector, [value] * vector.count)


def spread(builder: Any, value: Any, vector: Any) -> Any:
    """Return a vector of one value that is known when it runs."""
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def load_vector(builder: Any, address: Any, align: int) -> Any:
    """Load a vector from an address that is aligned to its elements only."""
    value = builder.load(address)
    value.align = align
    return value


def integers(values: list[int], width: int) -> Any:
    """Return a constant vector."""
    return ir.Constant(ir.VectorType(ir.IntType(width), len(values)), values)


def store_vector(builder: Any, value: Any, address: Any, align: int) -> None:
    """Store a vector at an address that is aligned to its elements only."""
    builder.store(value, address).align = align


@intrinsic
def load(typing: Any, rows: Any, at: Any) -> Any:
    """Load row number ``at`` of an array of rows, wide if that has three axes."""
    kind = _row_of(rows)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return load_vector(builder, address(context, builder, signature.args[0], given, kind), 8)

    return kind(rows, types.intp), generate


@intrinsic
def store(typing: Any, rows: Any, at: Any, value: Any) -> Any:
    """Put a row at number ``at`` of an array of rows."""
    kind = _row_of(rows)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        store_vector(builder, given[2], address(context, builder, signature.args[0], given, kind), 8)
        return context.get_dummy_value()

    return types.void(rows, types.intp, kind), generate


@intrinsic
def load_narrow(typing: Any, rows: Any, at: Any) -> Any:
    """Load the row of one step that is number ``at`` of all in an array, whatever its axes."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return load_vector(builder, address(context, builder, signature.args[0], given, row), 8)

    return row(rows, types.intp), generate


@intrinsic
def store_narrow(typing: Any, rows: Any, at: Any, value: Any) -> Any:
    """Put the row of one step at number ``at`` of all in an array, whatever its axes."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        store_vector(builder, given[2], address(context, builder, signature.args[0], given, row), 8)
        return context.get_dummy_value()

    return types.void(rows, types.intp, row), generate


@intrinsic
def store_apart(typing: Any, rows: Any, at: Any, value: Any, distance: Any) -> Any:
    """Put what a row holds of each step at narrow rows ``at``, ``at`` + ``distance`` and so on."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array, place, value, far = given
        words = signature.args[2].words
        for step in range(words // WORDS):
            some = integers([step * WORDS + i for i in range(WORDS)], 32)
            part = builder.shuffle_vector(value, value, some) if words > WORDS else value
            store_vector(builder, part, address(context, builder, signature.args[0], (array, place), row), 8)
            place = builder.add(place, far)
        return context.get_dummy_value()

    return types.void(rows, types.intp, value, types.intp), generate


def address(context: Any, builder: Any, array: Any, given: Any, kind: Any) -> Any:
    """Return the address of row number given[1] of the array given[0]."""
    start = builder.mul(given[1], ir.Constant(given[1].type, kind.words))
    return pointer(context, builder, array, given[0], start, ir.VectorType(ir.IntType(64), kind.words))


@intrinsic
def parity(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the lower bit of the sum of three bits, for each sample."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.xor(given[0], builder.xor(given[1], given[2]))

    return a(a, b, c), generate


@intrinsic
def majority(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return the carry bit of the sum of three bits, for each sample."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        x, y, z = given
        unlike = builder.xor(y, z)  # which `parity` needs as well
        return builder.or_(builder.and_(unlike, x), builder.and_(builder.not_(unlike), y))

    return a(a, b, c), generate


@intrinsic
def complement(typing: Any, a: Any) -> Any:
    """Return every bit inverted."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        ones = ir.Constant(ir.VectorType(ir.IntType(64), signature.args[0].words), [-1] * signature.args[0].words)
        return builder.xor(given[0], ones)

    return a(a), generate
