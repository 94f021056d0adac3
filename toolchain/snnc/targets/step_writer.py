"""Writes a neuron's program by its own `step`, called once on symbols: each operation becomes a line. For `onnx`, `c` and `npz`.

So a neuron model is written once, and a model that is added in neurons/ is exported without another word.

`simulation.engine.trace` does the same for the engine, and apart: its symbols carry ranges of integers, from which the width
of every number follows; these carry names, of floats, too, and where constants come from. Only the operations are common.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from snnc.network.arithmetic import Numeric
from snnc.network.model import Population


@dataclass(frozen=True, eq=False)
class Symbol:
    """A number in the program that is being written, by its name there."""

    name: str
    writer: "Writer"

    __array_ufunc__ = None  # so that array + symbol is left to the symbol

    def __add__(self, other: Any) -> "Symbol":
        return self.writer.write("add", self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Symbol":
        return self.writer.write("sub", self, other)

    def __rsub__(self, other: Any) -> "Symbol":
        return self.writer.write("sub", other, self)

    def __mul__(self, other: Any) -> "Symbol":
        return self.writer.write("mul", self, other)

    __rmul__ = __mul__


class Writer(ABC):
    """An `Arith` whose operations are written down. Those on constants alone are done at once, by ``numeric``.

    It remembers which parameter of the population's neurons a constant comes from, so that the program can say it.
    """

    def __init__(self, population: Population, numeric: Numeric) -> None:
        self.population, self.numeric = population, numeric
        parameters = population.neuron.parameters() if population.neuron else {}
        self._labels = [(getattr(population.neuron, name), name) for name in parameters]

    def label(self, constant: Any) -> str:
        """The parameter that a constant comes from, with what was done to it."""
        return next(label for array, label in self._labels if array is constant)

    def derived(self, constant: Any, what: str, source: Any) -> Any:
        """``constant``, remembered as made from another."""
        self._labels.append((constant, f"{self.label(source)}_{what}"))
        return constant

    @abstractmethod
    def write(self, operation: str, *operands: Any) -> Symbol:
        """Write an operation of `Arith`, or add, sub, mul; the operands are symbols and arrays."""

    def _do(self, operation: str, *operands: Any) -> Any:
        if any(isinstance(x, Symbol) for x in operands):
            return self.write(operation, *operands)
        return self.derived(getattr(self.numeric, operation)(*operands), operation, operands[0])

    def lift(self, x: Any) -> Any:
        return self._do("lift", x)

    def decay(self, x: Any, decay: Any) -> Any:
        return self._do("decay", x, decay)

    def wrap(self, x: Any) -> Any:
        return self._do("wrap", x)

    def saturate(self, x: Any) -> Any:
        return self._do("saturate", x)

    def above(self, v: Any, threshold: Any) -> Any:
        return self._do("above", v, threshold)

    def clear(self, v: Any, spikes: Any) -> Any:
        return self._do("clear", v, spikes)

    def subtract(self, v: Any, spikes: Any, amount: Any) -> Any:
        return self._do("subtract", v, spikes, amount)

    def positive(self, x: Any) -> Any:
        return self._do("positive", x)

    def silent(self, v: Any) -> Any:
        return self._do("silent", v)
