"""A traced step as instructions on vectors: `snnc.engine.trace` wrote the program, here LLVM gets it. Called when numba
compiles a kernel, to which the program's text is a constant.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.errors import TypingError

from snnc.engine.vector import EACH, GROUP, LANES, intrinsic, load_vector, pointer, row, splat, spread, store_vector

AT_ONCE = 16  # neurons that one vector operation computes where neurons lie side by side

Read = Callable[[str, int], Any]


def _results(builder: Any, text: str, vector: Any, read: Read) -> list[Any]:
    """The new states and the spikes (0 or 1), as vectors; ``read`` fetches what the program starts from."""
    found: list[Any] = []
    for line in text.split("\n"):
        name, *words = line.split(" ")
        if name == "return":
            return [None if word == "-" else found[int(word)] for word in words]
        given = [int(word) for word in words]
        if name in ("state", "current", "parameter", "number"):
            found.append(read(name, given[0] if given else 0))
        elif name == "constant":
            found.append(splat(given[0], vector))
        else:
            found.append(_OPERATIONS[name](builder, vector, found, *given))
    raise TypingError("a neuron's program does not return")


def _lift(b: Any, vector: Any, x: list[Any], at: int, shift: int) -> Any:
    """Together with `_scale`, if that came before: one shift, which LLVM would not make of two."""
    scaled = getattr(x[at], "opname", "") == "shl"
    value, before = x[at].operands if scaled else (x[at], splat(0, vector))
    return b.shl(value, b.add(before, splat(shift, vector)))


def _negative(b: Any, vector: Any, x: Any) -> Any:
    """All ones where x < 0, else 0."""
    return b.ashr(x, splat(vector.element.width - 1, vector))


def _scale(b: Any, vector: Any, x: list[Any], at: int, shift: int) -> Any:
    return b.shl(x[at], x[shift])


def _decay(b: Any, vector: Any, value: Any, left_of: Callable[[Any], Any]) -> Any:
    """What is left of the magnitude, with the sign put back."""
    sign = _negative(b, vector, value)
    return b.sub(b.xor(left_of(b.sub(b.xor(value, sign), sign)), sign), sign)


def _bare(b: Any, vector: Any, x: list[Any], at: int, kept: int, shared: int, shift: int) -> Any:
    """In 32 bits, which the product does not exceed. Rounds toward zero as 2**shift - 1 is added to what is negative."""
    product, one = b.mul(x[at], b.ashr(x[kept], x[shared])), splat(1, vector)
    most = b.sub(b.shl(one, x[shift]), one)
    return b.ashr(b.add(product, b.and_(_negative(b, vector, product), most)), x[shift])


def _registers(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    """In 32 bits, which the product may exceed: the magnitude in two parts."""
    down, mask = splat(bits, vector), splat((1 << bits) - 1, vector)

    def left_of(size: Any) -> Any:
        low = b.lshr(b.mul(b.and_(size, mask), x[kept]), down)
        return b.add(b.mul(b.lshr(size, down), x[kept]), low)

    return _decay(b, vector, x[at], left_of)


def _wide(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    """In 64 bits."""
    return _decay(b, vector, x[at], lambda size: b.ashr(b.mul(size, x[kept]), splat(bits, vector)))


def _wrap(b: Any, vector: Any, x: list[Any], at: int, limit: int) -> Any:
    value, turn = x[at], splat(2 * limit, vector)
    above, below = b.icmp_signed(">", value, splat(limit, vector)), b.icmp_signed("<=", value, splat(-limit, vector))
    return b.select(above, b.sub(value, turn), b.select(below, b.add(value, turn), value))


def _saturate(b: Any, vector: Any, x: list[Any], at: int, most: int) -> Any:
    high, low = splat(most, vector), splat(-most, vector)
    value = b.select(b.icmp_signed(">", x[at], high), high, x[at])
    return b.select(b.icmp_signed("<", value, low), low, value)


def _above(b: Any, vector: Any, x: list[Any], at: int, threshold: int) -> Any:
    return b.zext(b.icmp_signed(">", x[at], x[threshold]), vector)


def _clear(b: Any, vector: Any, x: list[Any], at: int, spikes: int) -> Any:
    return b.select(b.icmp_signed("!=", x[spikes], splat(0, vector)), splat(0, vector), x[at])


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": lambda b, v, x, i, j: b.add(x[i], x[j]),
    "sub": lambda b, v, x, i, j: b.sub(x[i], x[j]),
    "mul": lambda b, v, x, i, j: b.mul(x[i], x[j]),
    "lift": _lift,
    "scale": _scale,
    "bare": _bare,
    "registers": _registers,
    "wide": _wide,
    "wrap": _wrap,
    "saturate": _saturate,
    "above": _above,
    "clear": _clear,
    "positive": lambda b, v, x, i: b.zext(b.icmp_signed(">", x[i], splat(0, v)), v),
}


def _flat(builder: Any, *sizes_and_indices: Any) -> Any:
    """i0, n1, i1, n2, i2 -> (i0 * n1 + i1) * n2 + i2."""
    at, *rest = sizes_and_indices
    for size, index in zip(rest[::2], rest[1::2], strict=True):
        at = builder.add(builder.mul(at, size), index)
    return at


def _columns(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """The length of the second axis."""
    return builder.extract_value(context.make_array(kind)(context, builder, array).shape, 1)


def _alike(context: Any, builder: Any, kind: Any, array: Any, at: Any, vector: Any) -> Any:
    """A vector of one element of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return spread(builder, builder.load(builder.gep(data, [at])), vector)


def _number(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


@intrinsic(prefer_literal=True)
def fire_samples(
    typing: Any, text: Any, states: Any, parameters: Any, numbers: Any, current: Any, neuron: Any, part: Any, spikes: Any
) -> Any:
    """One step of one neuron for the samples 16 * g + ``part``; adds their bits to the row ``spikes``.

    ``states`` (states, neurons, 16, EACH), ``parameters`` (parameters, neurons), ``numbers`` of the program,
    ``current`` (16, EACH).
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        _, states_, parameters_, numbers_, current_, neuron_, part_, spikes_ = given
        kinds = signature.args
        width, summed = kinds[1].dtype.bitwidth, kinds[4].dtype.bitwidth
        vector, narrow = (ir.VectorType(ir.IntType(bits), EACH) for bits in (width, summed))
        neurons, padded = (_columns(context, builder, *array) for array in ((kinds[1], states_), (kinds[2], parameters_)))
        first = builder.mul(part_, _number(EACH))

        def state(i: int) -> Any:
            at = _flat(builder, _number(i), neurons, neuron_, _number(LANES), first)
            return pointer(context, builder, kinds[1], states_, at, vector)

        def read(name: str, i: int) -> Any:
            if name == "state":
                return load_vector(builder, state(i), width // 8)
            if name == "current":
                value = load_vector(builder, pointer(context, builder, kinds[4], current_, first, narrow), summed // 8)
                return value if width == summed else builder.sext(value, vector)
            if name == "number":
                return _alike(context, builder, kinds[3], numbers_, _number(i), vector)
            return _alike(context, builder, kinds[2], parameters_, _flat(builder, _number(i), padded, neuron_), vector)

        *after, fired = _results(builder, text.literal_value, vector, read)
        for i, value in enumerate(after):
            if value is not None:
                store_vector(builder, value, state(i), width // 8)
        bits = ir.VectorType(ir.IntType(GROUP), EACH)
        bit = spread(builder, builder.shl(bits.element(1), builder.trunc(part_, bits.element)), bits)
        there = builder.select(builder.icmp_signed("!=", fired, splat(0, vector)), bit, splat(0, bits))
        return builder.or_(spikes_, builder.bitcast(there, spikes_.type))

    return row(text, states, parameters, numbers, current, types.intp, types.intp, row), generate


@intrinsic(prefer_literal=True)
def fire_neurons(
    typing: Any, text: Any, states: Any, parameters: Any, numbers: Any, current: Any, first: Any, spikes: Any
) -> Any:
    """One step of the neurons ``first`` .. ``first`` + AT_ONCE of one sample; their spikes go to the bytes ``spikes``.

    ``states`` (states, neurons), ``parameters`` (parameters, neurons), ``numbers`` of the program, ``current`` (neurons,),
    ``spikes`` (neurons,) uint8.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        _, states_, parameters_, numbers_, current_, first_, spikes_ = given
        kinds = signature.args
        width, summed = kinds[1].dtype.bitwidth, kinds[4].dtype.bitwidth
        vector, narrow, byte = (ir.VectorType(ir.IntType(bits), AT_ONCE) for bits in (width, summed, 8))
        padded = _columns(context, builder, kinds[2], parameters_)

        def place(kind: Any, array: Any, i: int) -> Any:
            return pointer(context, builder, kind, array, _flat(builder, _number(i), padded, first_), vector)

        def read(name: str, i: int) -> Any:
            if name == "current":
                value = load_vector(builder, pointer(context, builder, kinds[4], current_, first_, narrow), summed // 8)
                return value if width == summed else builder.sext(value, vector)
            if name == "number":
                return _alike(context, builder, kinds[3], numbers_, _number(i), vector)
            kind, array = (kinds[1], states_) if name == "state" else (kinds[2], parameters_)
            return load_vector(builder, place(kind, array, i), width // 8)

        *after, fired = _results(builder, text.literal_value, vector, read)
        for i, value in enumerate(after):
            if value is not None:
                store_vector(builder, value, place(kinds[1], states_, i), width // 8)
        address = pointer(context, builder, kinds[6], spikes_, first_, byte)
        store_vector(builder, builder.trunc(fired, byte), address, 1)
        return context.get_dummy_value()

    return types.void(text, states, parameters, numbers, current, types.intp, spikes), generate
