"""Writes a neuron's program by its own `step`, called once on symbols: each operation becomes a line. For `onnx`, `c` and `npz`.

So a neuron model is written once, and a model that is added in neurons/ is exported without another word.

`simulation.engine.symbolic_step` does the same for the engine, and apart: its symbols carry ranges of integers, from which
the width of every number follows; these carry names, of floats, too, and where constants come from. What both have in common
is in `network.symbols`.
"""

from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import snnc.neurons as neurons
from snnc.network import symbols
from snnc.network.arithmetic import Float, Numeric
from snnc.network.model import Population


@dataclass(frozen=True, eq=False)
class Symbol(symbols.Symbol):
    """A number in the program that is being written, by its name there."""

    name: str
    writer: "Writer"

    def operate(self, operation: str, left: Any, right: Any) -> "Symbol":
        return self.writer.write(operation, left, right)


class Writer(symbols.Operations):
    """An `Arith` whose operations are written down. Those on constants alone are done at once, by ``numeric``.

    It remembers which parameter of the population's neurons a constant comes from, so that the program can say it.
    """

    def __init__(self, population: Population, numeric: Numeric) -> None:
        self.population, self.numeric = population, numeric
        parameters = population.neuron.parameters() if population.neuron else {}
        self._labels = [(getattr(population.neuron, name), name) for name in parameters]

    def label(self, constant: Any) -> str:
        """Return the parameter that a constant comes from, with what was done to it."""
        return next(label for array, label in self._labels if array is constant)

    def derived(self, constant: Any, what: str, source: Any) -> Any:
        """Return ``constant``, remembered as made from another."""
        self._labels.append((constant, f"{self.label(source)}_{what}"))
        return constant

    @abstractmethod
    def write(self, operation: str, *operands: Any) -> Symbol:
        """Write an operation of `Arith`, or add, sub, mul; the operands are symbols and arrays."""

    def apply(self, operation: str, *operands: Any) -> Any:
        if any(isinstance(x, Symbol) for x in operands):
            return self.write(operation, *operands)
        return self.derived(getattr(self.numeric, operation)(*operands), operation, operands[0])


class _Names(Writer):
    """Remembers which operations a step asks for."""

    def __init__(self, population: Population) -> None:
        super().__init__(population, Float())
        self.used: set[str] = set()

    def apply(self, operation: str, *operands: Any) -> Symbol:
        return self.write(operation, *operands)

    def write(self, operation: str, *operands: Any) -> Symbol:
        self.used.add(operation)
        return Symbol(operation, self)


def operations(model: str) -> frozenset[str]:
    """Return the operations of `Arith`, and of add, sub and mul, that the step of a neuron model asks for."""
    neuron = neurons.get(model).example()
    names = _Names(Population("any", (1,), neuron))
    neuron.step({name: Symbol(name, names) for name in neuron.variables()}, Symbol("current", names), names)
    return frozenset(names.used)


def neuron_problem(model: str, known: Collection[str], target: str) -> str:
    """Return why a target whose code is written by a model's step cannot compute the model; empty if it can.

    ``known``: the operations that it writes, see `operations_of`.
    """
    if model not in neurons.names():
        return f"no neuron model {model!r} is known"
    unknown = sorted(operations(model) - {*known})
    return f"{target} has no {', '.join(unknown)}, of which the step of {model!r} is made" if unknown else ""


def operations_of(writer: type[Writer]) -> frozenset[str]:
    """Return the operations that a writer writes by methods of its own: ``_decay`` for "decay", and so on."""
    return frozenset(name for name in (*symbols.OPERATIONS, "add", "sub", "mul") if hasattr(writer, f"_{name}"))
