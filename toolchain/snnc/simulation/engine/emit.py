"""A traced step as instructions on vectors: `symbolic_step` wrote the program, here LLVM gets it. Called when numba
compiles a kernel, to which the program's text is a constant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError

from snnc.simulation.engine.vector import EACH, GROUP, LANES, intrinsic, load_vector, pointer, row, splat, spread, store_vector

AT_ONCE = 16  # neurons that one vector operation computes where neurons lie side by side

Read = Callable[[str, int], Any]


def _results(builder: Any, text: str, vector: Any, read: Read) -> list[Any]:
    """Return the new states and the spikes (0 or 1), as vectors; ``read`` fetches what the program starts from."""
    results: list[Any] = []
    for line in text.split("\n"):
        name, *words = line.split(" ")
        if name == "return":
            return [None if word == "-" else results[int(word)] for word in words]
        given = [int(word) for word in words]
        if name in ("state", "current", "parameter", "number"):
            results.append(read(name, given[0] if given else 0))
        elif name == "constant":
            results.append(splat(given[0], vector))
        else:
            results.append(_OPERATIONS[name](builder, vector, results, *given))
    raise TypingError("a neuron's program does not return")


def _lift(b: Any, vector: Any, x: list[Any], at: int, shift: int) -> Any:
    """Shift up, together with `_scale` if that came before: one shift, which LLVM would not make of two."""
    scaled = getattr(x[at], "opname", "") == "shl"
    value, before = x[at].operands if scaled else (x[at], splat(0, vector))
    return b.shl(value, b.add(before, splat(shift, vector)))


def _negative(b: Any, vector: Any, x: Any) -> Any:
    """Return all ones where x < 0, else 0."""
    return b.ashr(x, splat(vector.element.width - 1, vector))


def _scale(b: Any, vector: Any, x: list[Any], at: int, shift: int) -> Any:
    return b.shl(x[at], x[shift])


def _decay(b: Any, vector: Any, value: Any, left_of: Callable[[Any], Any]) -> Any:
    """Return what is left of the magnitude, with the sign put back."""
    sign = _negative(b, vector, value)
    return b.sub(b.xor(left_of(b.sub(b.xor(value, sign), sign)), sign), sign)


def _bare(b: Any, vector: Any, x: list[Any], at: int, kept: int, shared: int, shift: int) -> Any:
    """Decay in 32 bits, which the product does not exceed. Rounds toward zero as 2**shift - 1 is added to what is negative."""
    product, one = b.mul(x[at], b.ashr(x[kept], x[shared])), splat(1, vector)
    most = b.sub(b.shl(one, x[shift]), one)
    return b.ashr(b.add(product, b.and_(_negative(b, vector, product), most)), x[shift])


def _registers(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    """Decay in 32 bits, which the product may exceed: the magnitude in two parts."""
    down, mask = splat(bits, vector), splat((1 << bits) - 1, vector)

    def left_of(size: Any) -> Any:
        low = b.lshr(b.mul(b.and_(size, mask), x[kept]), down)
        return b.add(b.mul(b.lshr(size, down), x[kept]), low)

    return _decay(b, vector, x[at], left_of)


def _wide(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    """Decay in 64 bits."""
    return _decay(b, vector, x[at], lambda size: b.ashr(b.mul(size, x[kept]), splat(bits, vector)))


def _bare_floor(b: Any, vector: Any, x: list[Any], at: int, kept: int, shared: int, shift: int) -> Any:
    return b.ashr(b.mul(x[at], b.ashr(x[kept], x[shared])), x[shift])


def _registers_floor(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    """In two parts, of which the lower is never negative."""
    down, mask = splat(bits, vector), splat((1 << bits) - 1, vector)
    low = b.lshr(b.mul(b.and_(x[at], mask), x[kept]), down)
    return b.add(b.mul(b.ashr(x[at], down), x[kept]), low)


def _wide_floor(b: Any, vector: Any, x: list[Any], at: int, kept: int, bits: int) -> Any:
    return b.ashr(b.mul(x[at], x[kept]), splat(bits, vector))


def _signed(unsigned: Callable[..., Any]) -> Callable[..., Any]:
    """The same by a factor of either sign: that of its magnitude, turned round where the factor is below 0."""

    def product(b: Any, vector: Any, x: list[Any], at: int, factor: int, bits: int) -> Any:
        sign = _negative(b, vector, x[factor])
        size = b.sub(b.xor(x[factor], sign), sign)
        found = unsigned(b, vector, [x[at], size], 0, 1, bits)
        return b.sub(b.xor(found, sign), sign)

    return product


def _wrap(b: Any, vector: Any, x: list[Any], at: int, limit: int) -> Any:
    value, turn = x[at], splat(2 * limit, vector)
    above, below = b.icmp_signed(">", value, splat(limit, vector)), b.icmp_signed("<=", value, splat(-limit, vector))
    return b.select(above, b.sub(value, turn), b.select(below, b.add(value, turn), value))


def _saturate(b: Any, vector: Any, x: list[Any], at: int, most: int) -> Any:
    high, low = splat(most, vector), splat(-most, vector)
    value = b.select(b.icmp_signed(">", x[at], high), high, x[at])
    return b.select(b.icmp_signed("<", value, low), low, value)


def _clamp(b: Any, vector: Any, x: list[Any], at: int, limit: int) -> Any:
    high, low = splat(limit - 1, vector), splat(-limit, vector)
    value = b.select(b.icmp_signed(">", x[at], high), high, x[at])
    return b.select(b.icmp_signed("<", value, low), low, value)


def _count(b: Any, vector: Any, x: list[Any], at: int, threshold: int, most: int) -> Any:
    """Divide, which is slow, where that is needed; a threshold of 0 is one of neurons that fill up a vector."""
    if most == 1:
        return _at_least(b, vector, x, at, threshold)
    one, nothing, end = splat(1, vector), splat(0, vector), splat(most, vector)
    divisor = b.select(b.icmp_signed("<", x[threshold], one), one, x[threshold])
    fits = b.sdiv(x[at], divisor)
    fits = b.select(b.icmp_signed(">", fits, end), end, fits)
    return b.select(b.icmp_signed("<", fits, nothing), nothing, fits)


def _remainder(b: Any, vector: Any, x: list[Any], at: int, threshold: int, most: int) -> Any:
    return b.sub(x[at], b.mul(_count(b, vector, x, at, threshold, most), x[threshold]))


def _above(b: Any, vector: Any, x: list[Any], at: int, threshold: int) -> Any:
    return b.zext(b.icmp_signed(">", x[at], x[threshold]), vector)


def _at_least(b: Any, vector: Any, x: list[Any], at: int, threshold: int) -> Any:
    return b.zext(b.icmp_signed(">=", x[at], x[threshold]), vector)


def _reset_to(b: Any, vector: Any, x: list[Any], at: int, spikes: int, value: int) -> Any:
    return b.select(b.icmp_signed("!=", x[spikes], splat(0, vector)), x[value], x[at])


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
    "bare_floor": _bare_floor,
    "registers_floor": _registers_floor,
    "wide_floor": _wide_floor,
    "bare_signed": _bare,
    "registers_signed": _signed(_registers),
    "wide_signed": _signed(_wide),
    "wrap": _wrap,
    "saturate": _saturate,
    "clamp": _clamp,
    "count": _count,
    "remainder": _remainder,
    "above": _above,
    "at_least": _at_least,
    "reset_to": _reset_to,
    "clear": _clear,
    "positive": lambda b, v, x, i: b.zext(b.icmp_signed(">", x[i], splat(0, v)), v),
}


def _flat(builder: Any, *sizes_and_indices: Any) -> Any:
    """Build i0, n1, i1, n2, i2 -> (i0 * n1 + i1) * n2 + i2."""
    at, *rest = sizes_and_indices
    for size, index in zip(rest[::2], rest[1::2], strict=True):
        at = builder.add(builder.mul(at, size), index)
    return at


def _columns(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return the length of the second axis."""
    return builder.extract_value(context.make_array(kind)(context, builder, array).shape, 1)


def _number(value: int) -> Any:
    return ir.Constant(ir.IntType(64), value)


@dataclass(frozen=True)
class _Array:
    """An argument of a kernel, where it is compiled."""

    context: Any
    builder: Any
    kind: Any
    value: Any

    @property
    def bits(self) -> int:
        """Of an element."""
        width: int = self.kind.dtype.bitwidth
        return width

    @property
    def columns(self) -> Any:
        """The length of the second axis."""
        return self.builder.extract_value(self.context.make_array(self.kind)(self.context, self.builder, self.value).shape, 1)

    def place(self, at: Any, vector: Any) -> Any:
        """Return the address of a vector from element ``at`` on."""
        return pointer(self.context, self.builder, self.kind, self.value, at, vector)

    def alike(self, at: Any, vector: Any) -> Any:
        """Return a vector of one element."""
        data = self.context.make_array(self.kind)(self.context, self.builder, self.value).data
        return spread(self.builder, self.builder.load(self.builder.gep(data, [at])), vector)

    def vector(self, at: Any, vector: Any) -> Any:
        """Return the elements from ``at`` on, as wide as those of ``vector``."""
        narrow = ir.VectorType(ir.IntType(self.bits), vector.count)
        value = load_vector(self.builder, self.place(at, narrow), self.bits // 8)
        return value if narrow.element.width == vector.element.width else self.builder.sext(value, vector)


def _kept(text: str, name: str, read: Callable[[int], Any]) -> list[Any]:
    """Fetch what the program reads by a name before a loop: there LLVM does not know that the loop leaves it alone."""
    numbers = [int(line.split(" ")[1]) for line in text.split("\n") if line.startswith(f"{name} ")]
    return [read(i) if i in numbers else None for i in range(max(numbers, default=-1) + 1)]


@intrinsic(prefer_literal=True)
def fire_samples(typing: Any, text: Any, states: Any, parameters: Any, numbers: Any, current: Any, step: Any, neuron: Any) -> Any:
    """Run one step of one neuron for all samples; return the row of their spikes.

    ``states`` (states, neurons, 16, EACH), ``parameters`` (parameters, neurons), ``numbers`` of the program, ``current``
    (steps, at least 16 * EACH): samples in the order of `transpose`.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        program, (step_, neuron_) = text.literal_value, given[5:]
        state, parameter, number, summed = (_Array(context, builder, signature.args[i], given[i]) for i in range(1, 5))
        vector, bits = ir.VectorType(ir.IntType(state.bits), EACH), ir.VectorType(ir.IntType(GROUP), EACH)
        fixed = {"number": _kept(program, "number", lambda i: number.alike(_number(i), vector)),
                 "parameter": _kept(program, "parameter", lambda i: parameter.alike(
                     _flat(builder, _number(i), parameter.columns, neuron_), vector))}  # fmt: skip
        word = cgutils.alloca_once_value(builder, splat(0, bits))  # type: ignore[no-untyped-call]
        with cgutils.for_range(builder, _number(GROUP)) as loop:
            first = builder.mul(loop.index, _number(EACH))
            places = [_flat(builder, _number(i), state.columns, neuron_, _number(LANES), first) for i in range(_states(program))]

            def read(name: str, i: int) -> Any:
                if name == "state":
                    return state.vector(places[i], vector)
                if name == "current":
                    return summed.vector(_flat(builder, step_, summed.columns, first), vector)
                return fixed[name][i]

            *after, fired = _results(builder, program, vector, read)
            _put(state, places, after, vector)
            bit = spread(builder, builder.shl(bits.element(1), builder.trunc(loop.index, bits.element)), bits)
            there = builder.select(builder.icmp_signed("!=", fired, splat(0, vector)), bit, splat(0, bits))
            builder.store(builder.or_(builder.load(word), there), word)
        return builder.bitcast(builder.load(word), ir.VectorType(ir.IntType(64), row.words))

    return row(text, states, parameters, numbers, current, types.intp, types.intp), generate


def _states(program: str) -> int:
    """Return how many states a program leaves."""
    return len(program.split("return ")[1].split("\n")[0].split(" ")) - 1


def _put(state: _Array, places: list[Any], values: list[Any], vector: Any) -> None:
    for place, value in zip(places, values, strict=True):
        if value is not None:
            store_vector(state.builder, value, state.place(place, vector), state.bits // 8)


@intrinsic(prefer_literal=True)
def fire_neurons(
    typing: Any, text: Any, states: Any, sample: Any, parameters: Any, numbers: Any, current: Any, row: Any, spikes: Any
) -> Any:
    """Run one step of all neurons of one sample; their spikes go to the bytes ``spikes``, and their currents are 0 afterwards.

    ``states`` (samples, states, neurons), ``parameters`` (parameters, neurons), ``numbers`` of the program, ``current``
    (samples * steps, neurons), whose row ``row`` is taken, ``spikes`` (1, neurons) uint8.
    """

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        program, sample_, row_ = text.literal_value, given[2], given[6]
        arrays = (_Array(context, builder, signature.args[i], given[i]) for i in (1, 3, 4, 5, 7))
        state, parameter, number, summed, out = arrays
        vector, byte = (ir.VectorType(ir.IntType(bits), AT_ONCE) for bits in (state.bits, 8))
        fixed, padded = _kept(program, "number", lambda i: number.alike(_number(i), vector)), parameter.columns
        variables = state.columns
        with cgutils.for_range(builder, builder.udiv(padded, _number(AT_ONCE))) as loop:
            first = builder.mul(loop.index, _number(AT_ONCE))
            places = [_flat(builder, sample_, variables, _number(i), padded, first) for i in range(_states(program))]

            def read(name: str, i: int) -> Any:
                if name == "number":
                    return fixed[i]
                if name == "state":
                    return state.vector(places[i], vector)
                if name == "current":
                    return summed.vector(_flat(builder, row_, padded, first), vector)
                return parameter.vector(_flat(builder, _number(i), padded, first), vector)

            *after, fired = _results(builder, program, vector, read)
            _put(state, places, after, vector)
            nothing = ir.VectorType(ir.IntType(summed.bits), AT_ONCE)
            here = summed.place(_flat(builder, row_, padded, first), nothing)
            store_vector(builder, splat(0, nothing), here, summed.bits // 8)
            store_vector(builder, builder.trunc(fired, byte), out.place(first, byte), 1)
        return context.get_dummy_value()

    return types.void(text, states, types.intp, parameters, numbers, current, types.intp, spikes), generate
