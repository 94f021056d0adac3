"""The arithmetic of intervals: run once on all that a neuron's state and input can be, the neuron's own `step` says all that they
can become. The range proof stands on it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed
from snnc.network.neuron import Neuron
from snnc.network.symbols import Symbol

Ints = NDArray[Any]  # int64, or Python's integers (object) where int64 could not hold what is made of them


@dataclass(frozen=True, eq=False)
class Span(Symbol):
    """All integers from ``low`` to ``high``, (n,) each: one interval a neuron."""

    low: Ints
    high: Ints
    asked: "tuple[Span, Span] | None" = None  # of spikes: which v was held against which threshold
    register: int | None = None  # the register that it was read from, in the order of the step; a reset leaves it there

    def operate(self, operation: str, left: Any, right: Any) -> "Span":
        a, b = span(left), span(right)
        if operation == "add":
            return Span(a.low + b.low, a.high + b.high)
        if operation == "sub":
            return Span(a.low - b.high, a.high - b.low)
        return _between([x * y for x in (a.low, a.high) for y in (b.low, b.high)])

    def within(self, other: "Span") -> Any:
        """Where it is part of ``other``: (n,)."""
        return (self.low >= other.low) & (self.high <= other.high)

    def with_other(self, other: "Span") -> "Span":
        """The least interval that holds both."""
        return Span(np.minimum(self.low, other.low), np.maximum(self.high, other.high))


class Stepped(NamedTuple):
    """What one step makes of a box of states."""

    after: dict[str, Span]
    spikes: Span
    held: dict[str, Span]  # state with a register -> the numbers that it was given to hold


def span(x: Any) -> Span:
    """An interval, or numbers as intervals of one."""
    return x if isinstance(x, Span) else Span(np.asarray(x), np.asarray(x))


def _between(corners: list[Ints]) -> Span:
    return Span(np.minimum.reduce(corners), np.maximum.reduce(corners))


def step(neuron: Neuron, box: Mapping[str, Span], current: Span, numeric: Fixed) -> Stepped:
    """The neuron's step on every state in ``box`` and every input in ``current`` (weight units).

    Where the step asks whether a state is above a number, both answers are followed apart, each with the states that give
    it: so a spike and what it takes away are seen together.
    """
    return _step(neuron, box, current, _Intervals(numeric))


def _step(neuron: Neuron, box: Mapping[str, Span], current: Span, a: "_Intervals") -> Stepped:
    after, spikes = neuron.step(dict(box), current, a)
    for number, (asked, threshold) in enumerate(a.asked):
        for name, x in box.items():
            if asked is x and number not in a.answers and _undecided(x, threshold):
                return _both(x, threshold, lambda part, answer, name=name, number=number: _step(  # type: ignore[misc]
                    neuron, {**box, name: part}, current, _Intervals(a.numeric, {**a.answers, number: answer})
                ))  # fmt: skip
    return Stepped({name: span(x) for name, x in after.items()}, spikes, _by_state(neuron, after, a.registers))


def _by_state(neuron: Neuron, after: Mapping[str, Any], registers: list[tuple[str, Span]]) -> dict[str, Span]:
    """What the register of each state was given to hold. Raises TypeError if the step and its states do not agree."""
    numbers = {state.name: getattr(after[state.name], "register", None) for state in neuron.states}
    declared = [state.overflow for state in neuron.states if numbers[state.name] is not None]
    used = sorted(number for number in numbers.values() if number is not None)
    kinds = [registers[number][0] for number in numbers.values() if number is not None]
    without = [s.name for s in neuron.states if s.overflow != "none" and numbers[s.name] is None]
    if used != list(range(len(registers))) or kinds != declared or without:
        raise TypeError(f"the registers in the step of {neuron.model()!r} are not those of its states {declared}, {without}")
    return {name: registers[number][1] for name, number in numbers.items() if number is not None}


def _undecided(x: Span, threshold: Span) -> bool:
    """Whether some neuron can give either answer."""
    return bool(((x.low <= threshold.high) & (x.high > threshold.low)).any())


def _both(x: Span, threshold: Span, follow: Callable[[Span, int], Stepped]) -> Stepped:
    """The steps from the part of ``x`` up to the threshold and from the part above it, where there are such parts, joined.

    A threshold that is an interval itself, as one that adapts, leaves numbers that can be in either part.
    """
    up_to, beyond = threshold.high, threshold.low + 1
    below = follow(Span(np.minimum(x.low, up_to), np.minimum(x.high, up_to)), 0)
    above = follow(Span(np.maximum(x.low, beyond), np.maximum(x.high, beyond)), 1)

    def joined(a: Span, b: Span) -> Span:
        both = a.with_other(b)
        low = np.where(x.low > up_to, b.low, np.where(x.high < beyond, a.low, both.low))
        return Span(low, np.where(x.low > up_to, b.high, np.where(x.high < beyond, a.high, both.high)))

    return Stepped(
        {name: joined(a, above.after[name]) for name, a in below.after.items()},
        joined(below.spikes, above.spikes),
        {name: joined(a, above.held[name]) for name, a in below.held.items()},
    )


@dataclass(frozen=True, eq=False)
class _Intervals:
    """The `Arith` of intervals over the integers of ``numeric``."""

    numeric: Fixed
    answers: Mapping[int, int] = field(default_factory=dict)  # to questions about states, by their order in the step
    asked: list[tuple[Span, Span]] = field(default_factory=list)
    registers: list[tuple[str, Span]] = field(default_factory=list)  # what each does, and is given to hold

    def lift(self, x: Any) -> Any:
        return Span(self.numeric.lift(x.low), self.numeric.lift(x.high)) if isinstance(x, Span) else self.numeric.lift(x)

    def decay(self, x: Span, decay: Any) -> Span:
        """Truncation toward zero keeps the order of numbers, so the ends stay ends."""
        return Span(self.numeric.decay(x.low, decay), self.numeric.decay(x.high, decay))

    def floor_decay(self, x: Span, decay: Any) -> Span:
        """Rounding down keeps the order of numbers, too."""
        return Span(self.numeric.floor_decay(x.low, decay), self.numeric.floor_decay(x.high, decay))

    def leak(self, x: Span, decay: Any) -> Span:
        """What is larger before is not smaller afterwards."""
        return Span(self.numeric.leak(x.low, decay), self.numeric.leak(x.high, decay))

    def multiply(self, x: Span, fraction: Any) -> Span:
        """A negative fraction turns the order round."""
        return _between([self.numeric.multiply(end, fraction) for end in (x.low, x.high)])

    def wrap(self, x: Span) -> Span:
        """Beyond the register, anything in it; if one turn may not be enough, anything as large as what went in."""
        number = self._hold("wrap", x)
        limit = self.numeric.state_limit
        low, high = self.numeric.wrap(x.low), self.numeric.wrap(x.high)
        known = ((low == x.low) & (high == x.high)) | (x.low == x.high)
        reach = np.maximum(-x.low, x.high)
        most = np.where(reach <= 3 * limit, limit, reach)
        least = np.where(reach <= 3 * limit, 1 - limit, -reach)
        return Span(np.where(known, low, least), np.where(known, high, most), register=number)

    def saturate(self, x: Span) -> Span:
        number = self._hold("saturate", x)
        return Span(self.numeric.saturate(x.low), self.numeric.saturate(x.high), register=number)

    def clamp(self, x: Span) -> Span:
        number = self._hold("clamp", x)
        return Span(self.numeric.clamp(x.low), self.numeric.clamp(x.high), register=number)

    def _hold(self, kind: str, x: Span) -> int:
        self.registers.append((kind, x))
        return len(self.registers) - 1

    def above(self, v: Any, threshold: Any) -> Span:
        v, threshold, number = span(v), span(threshold), len(self.asked)
        self.asked.append((v, threshold))
        if number in self.answers:
            answer = np.full_like(v.low, self.answers[number])
            return Span(answer, answer, (v, threshold))
        return Span((v.low > threshold.high).astype(int), (v.high > threshold.low).astype(int), (v, threshold))

    def at_least(self, v: Any, threshold: Any) -> Span:
        """Of whole numbers, as many as are above the number before the threshold."""
        return self.above(v, span(threshold) - 1)

    def clear(self, v: Span, spikes: Span) -> Span:
        return self.reset_to(v, spikes, np.int64(0))

    def reset_to(self, v: Span, spikes: Span, value: Any) -> Span:
        """Where the spikes say whether v itself is above a threshold, what is left of v is not above it."""
        kept, to = v, span(value)
        if spikes.asked and spikes.asked[0] is v:
            kept = Span(v.low, np.minimum(v.high, spikes.asked[1].high))
        low, high = np.minimum(kept.low, to.low), np.maximum(kept.high, to.high)
        low = np.where(spikes.low > 0, to.low, np.where(spikes.high > 0, low, v.low))
        high = np.where(spikes.low > 0, to.high, np.where(spikes.high > 0, high, v.high))
        return Span(low, high, register=v.register)

    def subtract(self, v: Span, spikes: Span, amount: Any) -> Span:
        return v.operate("sub", v, spikes * amount)

    def count(self, v: Span, threshold: Any, most: int) -> Span:
        return Span(*(np.clip(end // threshold, 0, most) for end in (v.low, v.high)))

    def remainder(self, v: Span, threshold: Any, most: int) -> Span:
        """Where all of v gives as many spikes, it only moves; else less than a threshold, or what ``most`` spikes leave over."""
        spikes = self.count(v, threshold, most)
        low, high = v.low - spikes.low * threshold, v.high - spikes.high * threshold
        same = spikes.low == spikes.high
        low = np.where(same, low, np.minimum(v.low, 0))
        return Span(low, np.where(same, high, np.maximum(threshold - 1, high)), register=v.register)

    def positive(self, x: Any) -> Span:
        return self.above(x, np.int64(0))

    def silent(self, v: Span) -> Span:
        return Span(np.zeros_like(v.low), np.zeros_like(v.high))
