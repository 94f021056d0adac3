"""The logic of neurons: a model's own step, run once on symbols, becomes Verilog whose widths follow from ranges."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Population
from snnc.targets.step_writer import Symbol, Writer

from .layout import signed_bits

Range = tuple[int, int]
MOST_TERMS = 4  # shifted terms that a multiplication by a constant is written as, before it is left to a multiplier
WIRE = re.compile(r"wire signed \[(\d+):0\] \w+ = (.*);")
OPERATORS = re.compile(r" [-+?<>]=? ")


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter that not all neurons of a unit share: one value a neuron, (n,), in the order of the unit's populations."""

    name: str
    values: NDArray[Any]

    @property
    def range(self) -> Range:
        """The least and the greatest value."""
        return int(self.values.min()), int(self.values.max())

    @property
    def bits(self) -> int:
        """Bits of a value, signed."""
        return signed_bits(*self.range)


class Logic(Writer):
    """`Fixed` in Verilog: one signed wire for each operation, just as wide as what it can be.

    ``lines`` are the declarations, ``ranges`` what each wire can be, ``parameters`` what has to come from outside, and ``read``
    the names of the wires that any operation uses.
    """

    numeric: Fixed

    def __init__(self, population: Population, numeric: Fixed, ranges: dict[str, Range]) -> None:
        super().__init__(population, numeric)
        self.ranges = dict(ranges)
        self.lines: list[str] = []
        self.parameters: list[Parameter] = []
        self.read: set[str] = set()

    @property
    def luts(self) -> int:
        """About how many LUTs of 4 inputs the wires take: one a bit for each operator, more for products."""
        wires = (WIRE.fullmatch(line) for line in self.lines)
        return sum(_luts(wire[1], wire[2]) for wire in wires if wire)

    def symbol(self, name: str) -> Symbol:
        """An input wire of the logic, whose range is known."""
        return Symbol(name, self)

    def write(self, operation: str, *operands: Any) -> Symbol:
        operator = getattr(self, f"_{operation}")
        symbol: Symbol = operator(*operands)
        return symbol

    def wire(self, operation: str, expression: str, low: int, high: int) -> Symbol:
        """Declare a wire of this range."""
        name = f"{operation}_{len(self.lines)}"
        self.ranges[name] = (low, high)
        self.lines.append(f"wire signed [{signed_bits(low, high) - 1}:0] {name} = {expression};")
        return Symbol(name, self)

    def operand(self, x: Any) -> str:
        """How an operand is written."""
        if isinstance(x, Symbol):
            self.read.add(x.name)
            return x.name
        values = np.asarray(x)
        if (values == values.flat[0]).all():
            return literal(int(values.flat[0]))
        name = f"parameter_{self.label(x)}"
        if name not in [p.name for p in self.parameters]:
            self.parameters.append(Parameter(name, values))
        self.read.add(name)
        return name

    def range(self, x: Any) -> Range:
        """What an operand can be."""
        if isinstance(x, Symbol):
            return self.ranges[x.name]
        return int(np.min(x)), int(np.max(x))

    def _add(self, x: Any, y: Any) -> Symbol:
        if is_zero(y):
            return x  # type: ignore[no-any-return]
        (a, b), (c, d) = self.range(x), self.range(y)
        return self.wire("sum", f"{self.operand(x)} + {self.operand(y)}", a + c, b + d)

    def _sub(self, x: Any, y: Any) -> Symbol:
        (a, b), (c, d) = self.range(x), self.range(y)
        return self.wire("difference", f"{self.operand(x)} - {self.operand(y)}", a - d, b - c)

    def _mul(self, x: Any, y: Any) -> Symbol:
        corners = [i * j for i in self.range(x) for j in self.range(y)]
        return self.wire("product", f"{self.operand(x)} * {self.operand(y)}", min(corners), max(corners))

    def _lift(self, x: Symbol) -> Symbol:
        low, high = self.range(x)
        shift = self.numeric.state_shift
        return self.wire("lift", f"{self.operand(x)} <<< {shift}", low << shift, high << shift) if shift else x

    def _decay(self, x: Symbol, decay: NDArray[Any]) -> Symbol:
        kept = self.derived((1 << self.numeric.decay_bits) - decay, "kept", decay)
        return self._toward_zero("decay", *self._product(x, kept))

    def _floor_decay(self, x: Symbol, decay: NDArray[Any]) -> Symbol:
        kept = self.derived((1 << self.numeric.decay_bits) - decay, "kept", decay)
        product, bits = self._product(x, kept)
        low, high = self.range(product)
        return self.wire("decay", f"{self.operand(product)} >>> {bits}", low >> bits, high >> bits) if bits else product

    def _multiply(self, x: Symbol, fraction: NDArray[Any]) -> Symbol:
        return self._toward_zero("multiply", *self._product(x, fraction))

    def _product(self, x: Symbol, factor: NDArray[Any]) -> tuple[Symbol, int]:
        """(x times what stands for a fraction, by how many bits it is still to be shifted to the right)."""
        bits, value = self.numeric.decay_bits, int(factor.flat[0])
        corners = [i * j for i in self.range(x) for j in self.range(factor)]
        if (factor != value).any():
            return self.wire("kept", f"{self.operand(x)} * {self.operand(factor)}", min(corners), max(corners)), bits
        common = ((value | 1 << bits) & -(value | 1 << bits)).bit_length() - 1
        if value >> common == 1:
            return x, bits - common
        ends = [corner >> common for corner in corners]
        return self.wire("kept", times(self.operand(x), value >> common), min(ends), max(ends)), bits - common

    def _toward_zero(self, operation: str, product: Symbol, bits: int) -> Symbol:
        """A product shifted to the right, rounded toward zero: a negative one is raised by 2**bits - 1, then rounded down."""
        if not bits:
            return product
        low, high = self.range(product)
        name, most = self.operand(product), (1 << bits) - 1
        if low < 0:
            added = f"({name} < 0 ? {literal(most)} : {literal(0)})"
            name = self.operand(self.wire("raised", f"{name} + {added}", low, high + most))
        return self.wire(operation, f"{name} >>> {bits}", _truncated(low, bits), _truncated(high, bits))

    def _wrap(self, x: Symbol) -> Symbol:
        limit = self.numeric.state_limit
        low, high = self.range(x)
        if -limit < low and high <= limit:
            return x
        if max(-low, high) > 3 * limit:
            raise UnsupportedError(
                f"a register that wraps at {limit:,} can be given {max(-low, high):,}, more than one turn",
                where=f"population {self.population.name!r}",
                fix="use a smaller weight exponent",
            )
        name, turn = self.operand(x), literal(2 * limit)
        over, under = f"{name} > {literal(limit)}", f"{name} <= {literal(-limit)}"
        return self.wire("wrap", f"{over} ? {name} - {turn} : {under} ? {name} + {turn} : {name}", 1 - limit, limit)

    def _saturate(self, x: Symbol) -> Symbol:
        most = self.numeric.state_limit - 1
        low, high = self.range(x)
        if -most <= low and high <= most:
            return x
        name = self.operand(x)
        upper, lower = f"{name} > {literal(most)} ? {literal(most)}", f"{name} < {literal(-most)} ? {literal(-most)}"
        return self.wire("saturate", f"{upper} : {lower} : {name}", max(low, -most), min(high, most))

    def _above(self, v: Symbol, threshold: Any) -> Symbol:
        return self._flag("above", f"{self.operand(v)} > {self.operand(threshold)}")

    def _at_least(self, v: Symbol, threshold: Any) -> Symbol:
        return self._flag("at_least", f"{self.operand(v)} >= {self.operand(threshold)}")

    def _reset_to(self, v: Symbol, spikes: Symbol, value: Any) -> Symbol:
        (a, b), (c, d) = self.range(v), self.range(value)
        expression = f"{self.operand(spikes)}[0] ? {self.operand(value)} : {self.operand(v)}"
        return self.wire("reset_to", expression, min(a, c), max(b, d))

    def _clear(self, v: Symbol, spikes: Symbol) -> Symbol:
        low, high = self.range(v)
        return self.wire("clear", f"{self.operand(spikes)}[0] ? {literal(0)} : {self.operand(v)}", min(low, 0), max(high, 0))

    def _subtract(self, v: Symbol, spikes: Symbol, amount: Any) -> Symbol:
        (a, b), (c, d) = self.range(v), self.range(amount)
        name = self.operand(v)
        expression = f"{self.operand(spikes)}[0] ? {name} - {self.operand(amount)} : {name}"
        return self.wire("subtract", expression, min(a, a - d), max(b, b - c))

    def _positive(self, x: Symbol) -> Symbol:
        return self._flag("positive", f"{self.operand(x)} > {literal(0)}")

    def _silent(self, v: Symbol) -> Symbol:
        return self.wire("silent", literal(0), 0, 1)

    def _flag(self, operation: str, condition: str) -> Symbol:
        return self.wire(operation, f"{{1'b0, {condition}}}", 0, 1)


def _luts(highest: str, expression: str) -> int:
    bits = int(highest) + 1
    return bits * bits // 4 if " * " in expression else bits * len(OPERATORS.findall(expression))


def literal(value: int) -> str:
    """A signed number; negative ones are negated ones, wide enough for both."""
    bits = signed_bits(-abs(value), abs(value))
    return f"{'-' if value < 0 else ''}{bits}'sd{abs(value)}"


def is_zero(x: Any) -> bool:
    """Whether an operand is the number 0 for all neurons."""
    return not isinstance(x, Symbol) and not np.any(x)


def times(name: str, factor: int) -> str:
    """A multiplication by a constant as sums and differences of shifted terms, where few do."""
    if factor < 0:
        return f"{name} * {literal(factor)}"
    terms, shift = [], 0
    while factor:
        if factor & 1:
            digit = 2 - (factor & 3)  # 1, or -1 where a run of ones ends in a difference
            terms.append(("+" if digit > 0 else "-", shift))
            factor -= digit
        factor >>= 1
        shift += 1
    if len(terms) > MOST_TERMS:
        value = sum((1 if sign == "+" else -1) << at for sign, at in terms)
        return f"{name} * {literal(value)}"
    if not terms:
        return literal(0)
    (_, first), *others = reversed(terms)
    shifted = [f"({name} <<< {at})" if at else name for _, at in ((0, first), *others)]
    return shifted[0] + "".join(f" {sign} {term}" for (sign, _), term in zip(others, shifted[1:], strict=True))


def _truncated(x: int, bits: int) -> int:
    return x >> bits if x >= 0 else -(-x >> bits)
