"""From a neuron's own `step` to a short list of operations, which the engine compiles. The step is called once with symbols
instead of arrays, so it stays written once. Each symbol knows the range of what it stands for, and from them follows which of
three programs is right: bare, where no register can wrap or saturate and 32 bits do; with registers in 32 bits; or in 64.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.intervals import Span
from snnc.analysis.reachability import reach
from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron
from snnc.network.symbols import Symbol

Range = tuple[int, int]
Form = Literal["bare", "registers", "wide"]

ANY: Range = (-(1 << 62), (1 << 62) - 1)
INT32 = (1 << 31) - 1
FORMS: tuple[Form, ...] = ("bare", "registers", "wide")
_SOURCES = ("state", "current", "parameter", "constant", "number")


@dataclass(frozen=True)
class Step:
    """A compiled neuron's step: ``text`` is its program, one operation a line, each line the number of its result.

    ``states`` and ``parameters`` are the order in which the program numbers them; ``ranges`` holds what a state can be
    after any number of steps, and is what makes the program valid.
    """

    text: str
    bits: int  # 32 or 64: of every number in it
    states: tuple[str, ...]
    parameters: tuple[str, ...]
    ranges: Mapping[str, Range]
    numbers: tuple[int, ...]  # of the network, not of the model; the first is by how much the current is still to be lifted

    @cached_property
    def lean(self) -> str:
        """The program, which leaves states alone that no step reads: they can be had from the last step's program in full."""
        *lines, last = self.text.split("\n")
        read = {int(word) for line in lines for word in line.split(" ")[1:] if line.split(" ")[0] not in _SOURCES}
        name, *ends = last.split(" ")
        return "\n".join(
            (*lines, " ".join((name, *("-" if i < len(self.states) and i not in read else e for i, e in enumerate(ends)))))
        )


@dataclass(eq=False)
class _Tape:
    """The program as it is written; the first lines are its inputs."""

    form: Form
    lines: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    zeros: dict[int, int] = field(default_factory=dict)  # of parameters: by how many powers of two all values can be divided
    numbers: list[int] = field(default_factory=list)
    fits: bool = True  # the form that was asked for

    def number(self, value: int) -> int:
        """The line of a number that is known when the program runs."""
        self.numbers.append(value)
        return self.write(f"number {len(self.numbers) - 1}", value).line

    def symbol(self, x: Any) -> "_Symbol":
        """A symbol, or the line of a number that the model itself holds."""
        return x if isinstance(x, _Symbol) else self.write(f"constant {int(x)}", int(x))

    def write(self, line: str, *corners: int) -> "_Symbol":
        """Append an operation whose result lies between the least and the greatest of ``corners``."""
        self.lines.append(line)
        self.ranges.append((min(corners), max(corners)))
        return _Symbol(self, len(self.lines) - 1)


@dataclass(frozen=True, eq=False)
class _Symbol(Symbol):
    """What a line of the tape computes. Behaves as the arrays that a neuron's step adds and multiplies."""

    tape: _Tape
    line: int

    @property
    def largest(self) -> int:
        return max(-self.range[0], self.range[1])

    @property
    def range(self) -> Range:
        return self.tape.ranges[self.line]

    def operate(self, operation: str, left: Any, right: Any) -> "_Symbol":
        a, b = self.tape.symbol(left), self.tape.symbol(right)
        (low, high), (least, most) = a.range, b.range
        products = [x * y for x in a.range for y in b.range]
        ends = {"add": (low + least, high + most), "sub": (low - most, high - least), "mul": products}[operation]
        return self.tape.write(f"{operation} {a.line} {b.line}", *ends)


@dataclass(frozen=True)
class _Traced:
    """The `Arith` of symbols: the integers of ``numeric``."""

    numeric: Fixed

    def lift(self, x: _Symbol) -> _Symbol:
        shift = self.numeric.state_shift
        return x.tape.write(f"lift {x.line} {shift}", x.range[0] << shift, x.range[1] << shift)

    def decay(self, x: _Symbol, decay: _Symbol) -> _Symbol:
        kept = (1 << self.numeric.decay_bits) - decay
        return self._product("", x, kept, decay, _truncated)

    def floor_decay(self, x: _Symbol, decay: _Symbol) -> _Symbol:
        kept = (1 << self.numeric.decay_bits) - decay
        return self._product("_floor", x, kept, decay, lambda product, bits: product >> bits)

    def leak(self, x: _Symbol, decay: _Symbol) -> _Symbol:
        """Of what is above 0: the negative of what `floor_decay` leaves of the negative, or one less where that is x itself."""
        left: _Symbol = 0 - self.floor_decay(0 - x, decay)
        inexact = self.positive(left - self.floor_decay(x, decay))
        left -= inexact * (self.positive(x) - self.positive(x - left))
        tape, bits = x.tape, self.numeric.decay_bits
        tape.ranges[left.line] = _ends(_leaked(end, size, bits) for end in (*x.range, 0, 1) for size in decay.range)
        return left

    def multiply(self, x: _Symbol, fraction: _Symbol) -> _Symbol:
        return self._product("_signed", x, fraction, fraction, _truncated)

    def _product(self, kind: str, x: _Symbol, factor: _Symbol, parameter: _Symbol, rounded: Callable[[int, int], int]) -> _Symbol:
        """Times ``factor``, which shares its powers of two with ``parameter``, and rounded to 2**-decay_bits of that.

        In the bare form, powers of two that all factors share are left out, so that the product fits in 32 bits.
        """
        bits, tape = self.numeric.decay_bits, x.tape
        most = max(factor.range, key=abs)
        ends = (*(rounded(end * size, bits) for end in x.range for size in factor.range), 0)
        if tape.form == "bare":
            shared = tape.zeros.get(parameter.line, 0)
            tape.fits &= x.largest * (abs(most) >> shared) <= INT32
            return tape.write(f"bare{kind} {x.line} {factor.line} {tape.number(shared)} {tape.number(bits - shared)}", *ends)
        tape.fits &= tape.form == "wide" or bits <= 15
        return tape.write(f"{tape.form}{kind} {x.line} {factor.line} {bits}", *ends)

    def wrap(self, x: _Symbol) -> _Symbol:
        limit = self.numeric.state_limit
        if x.tape.form == "bare":
            x.tape.fits &= -limit < x.range[0] and x.range[1] <= limit
            return x
        once = x.largest <= 3 * limit  # it wraps only once
        crosses = x.range[0] <= -limit or x.range[1] > limit
        ends = x.range if not crosses else (1 - limit, limit) if once else (*x.range, 1 - limit, limit)
        return x.tape.write(f"wrap {x.line} {limit}", *ends)

    def saturate(self, x: _Symbol) -> _Symbol:
        most = self.numeric.state_limit - 1
        if x.tape.form == "bare":
            x.tape.fits &= x.largest <= most
            return x
        return x.tape.write(f"saturate {x.line} {most}", *(min(max(end, -most), most) for end in x.range))

    def clamp(self, x: _Symbol) -> _Symbol:
        limit = self.numeric.state_limit
        if x.tape.form == "bare":
            x.tape.fits &= -limit <= x.range[0] and x.range[1] < limit
            return x
        return x.tape.write(f"clamp {x.line} {limit}", *(min(max(end, -limit), limit - 1) for end in x.range))

    def above(self, v: _Symbol, threshold: _Symbol) -> _Symbol:
        return v.tape.write(f"above {v.line} {threshold.line}", 0, 1)

    def at_least(self, v: _Symbol, threshold: _Symbol) -> _Symbol:
        return v.tape.write(f"at_least {v.line} {v.tape.symbol(threshold).line}", 0, 1)

    def reset_to(self, v: _Symbol, spikes: _Symbol, value: Any) -> _Symbol:
        to = v.tape.symbol(value)
        return v.tape.write(f"reset_to {v.line} {spikes.line} {to.line}", *v.range, *to.range)

    def clear(self, v: _Symbol, spikes: _Symbol) -> _Symbol:
        return v.tape.write(f"clear {v.line} {spikes.line}", *v.range, 0)

    def subtract(self, v: _Symbol, spikes: _Symbol, amount: _Symbol) -> _Symbol:
        left: _Symbol = v - spikes * amount
        return left

    def count(self, v: _Symbol, threshold: _Symbol, most: int) -> _Symbol:
        return v.tape.write(f"count {v.line} {threshold.line} {most}", 0, most)

    def remainder(self, v: _Symbol, threshold: _Symbol, most: int) -> _Symbol:
        low, high = v.range
        ends = (low, min(low, 0), min(high, threshold.range[1] - 1), high - most * threshold.range[0])
        return v.tape.write(f"remainder {v.line} {threshold.line} {most}", *ends)

    def positive(self, x: _Symbol) -> _Symbol:
        return x.tape.write(f"positive {x.line}", 0, 1)

    def silent(self, v: _Symbol) -> _Symbol:
        return v.tape.write("constant 0", 0)


def trace(neuron: Neuron, current: Range, numeric: Fixed, scale: int = 0) -> Step:
    """The step of a neuron whose summed input, in weight units, lies within ``current``; it is given in units of 2**scale."""
    ranges = _reachable(neuron, current, numeric)
    for form in FORMS:
        tape, after, spikes = _tape(neuron, ranges, current, numeric, form, scale)
        if form == "wide" or (tape.fits and all(low >= -INT32 and high <= INT32 for low, high in tape.ranges)):
            break
    ends = " ".join(str(s.line) for s in (*after.values(), spikes))
    text = "\n".join((*tape.lines, f"return {ends}"))
    names = tuple(neuron.parameters())
    return Step(text, 64 if form == "wide" else 32, neuron.variables(), names, ranges, tuple(tape.numbers))


def _tape(
    neuron: Neuron, ranges: Mapping[str, Range], current: Range, numeric: Fixed, form: Form, scale: int = 0
) -> tuple[_Tape, dict[str, _Symbol], _Symbol]:
    """(what was written, the new states, the spikes) when the neuron's step is called with symbols."""
    tape = _Tape(form)
    state = {name: tape.write(f"state {i}", *ranges[name]) for i, name in enumerate(neuron.variables())}
    summed = tape.write("current", *current)
    summed = tape.write(f"scale {summed.line} {tape.number(scale)}", *current)
    own = {}
    for i, name in enumerate(neuron.parameters()):
        value = getattr(neuron, name)
        own[name] = tape.write(f"parameter {i}", int(value.min()), int(value.max()))
        tape.zeros[own[name].line] = _zeros(value, numeric.decay_bits)
    after, spikes = type(neuron).step(SimpleNamespace(**own), state, summed, _Traced(numeric))  # type: ignore[arg-type]
    return tape, {name: after[name] for name in neuron.variables()}, spikes


def _reachable(neuron: Neuron, current: Range, numeric: Fixed) -> dict[str, Range]:
    """A range for each state that holds its first value and that no step leaves: the range proof's, over all neurons.

    Any value, if a state can grow without end.
    """
    n = max([1, *(getattr(neuron, name).size for name in neuron.parameters())])
    found = reach(neuron, Span(np.full(n, current[0], np.int64), np.full(n, current[1], np.int64)), numeric, None)
    if not found.found.all():
        return dict.fromkeys(neuron.variables(), ANY)
    return {name: (int(s.low.min()), int(s.high.max())) for name, s in found.states.items()}


def _ends(numbers: Iterable[int]) -> Range:
    values = list(numbers)
    return min(values), max(values)


def _leaked(x: int, decay: int, bits: int) -> int:
    lost = x * decay >> bits
    return x - (max(lost, 1) if x > 0 else lost)


def _truncated(x: int, bits: int) -> int:
    return x >> bits if x >= 0 else -(-x >> bits)


def _zeros(values: NDArray[np.int64], most: int) -> int:
    """The largest power of two, up to ``most``, that divides all ``values``, as its exponent."""
    together = int(np.bitwise_or.reduce(values, axis=None)) | 1 << most
    return (together & -together).bit_length() - 1
