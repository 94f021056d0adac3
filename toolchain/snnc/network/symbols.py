"""Symbols that a neuron's `step` computes with in place of arrays, when it is written down, traced, or run on intervals.

The operators that arrays have, and the operations of `Arith`, are listed here once. What follows a step says what one of
them does: a `Symbol` in `operate`, an `Operations` in `apply`.
"""

import inspect
from abc import ABC, abstractmethod
from typing import Any

from snnc.network.arithmetic import Arith


class Symbol(ABC):
    """Stand-in for an array. ``operate`` gets "add", "sub" or "mul" and both operands, of which one is this symbol."""

    __array_ufunc__ = None  # so that array + symbol is left to the symbol

    @abstractmethod
    def operate(self, operation: str, left: Any, right: Any) -> Any:
        """Return the sum, difference or product."""

    def __add__(self, other: Any) -> Any:
        return self.operate("add", self, other)

    def __sub__(self, other: Any) -> Any:
        return self.operate("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.operate("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.operate("mul", self, other)

    __radd__, __rmul__ = __add__, __mul__


OPERATIONS = tuple(name for name, _ in inspect.getmembers(Arith, inspect.isfunction) if not name.startswith("_"))


class Operations(ABC):
    """An `Arith` that hands every operation, by its name, to `apply`."""

    @abstractmethod
    def apply(self, operation: str, *operands: Any) -> Any:
        """Return the result of one of `OPERATIONS`."""

    def lift(self, x: Any) -> Any:
        return self.apply("lift", x)

    def decay(self, x: Any, decay: Any) -> Any:
        return self.apply("decay", x, decay)

    def floor_decay(self, x: Any, decay: Any) -> Any:
        return self.apply("floor_decay", x, decay)

    def leak(self, x: Any, decay: Any) -> Any:
        return self.apply("leak", x, decay)

    def multiply(self, x: Any, fraction: Any) -> Any:
        return self.apply("multiply", x, fraction)

    def wrap(self, x: Any) -> Any:
        return self.apply("wrap", x)

    def saturate(self, x: Any) -> Any:
        return self.apply("saturate", x)

    def clamp(self, x: Any) -> Any:
        return self.apply("clamp", x)

    def above(self, v: Any, threshold: Any) -> Any:
        return self.apply("above", v, threshold)

    def at_least(self, v: Any, threshold: Any) -> Any:
        return self.apply("at_least", v, threshold)

    def clear(self, v: Any, spikes: Any) -> Any:
        return self.apply("clear", v, spikes)

    def reset_to(self, v: Any, spikes: Any, value: Any) -> Any:
        return self.apply("reset_to", v, spikes, value)

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        return self.apply("subtract", v, spikes, amount)

    def count(self, v: Any, threshold: Any, most: int) -> Any:
        return self.apply("count", v, threshold, most)

    def remainder(self, v: Any, threshold: Any, most: int) -> Any:
        return self.apply("remainder", v, threshold, most)

    def positive(self, x: Any) -> Any:
        return self.apply("positive", x)

    def silent(self, v: Any) -> Any:
        return self.apply("silent", v)
