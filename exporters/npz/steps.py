"""What a neuron does in a step as data: each operation of its own `step` becomes a list of words. Used by `npz`."""

from typing import Any

import snnc.neurons as neurons
from snnc.network.arithmetic import Float
from snnc.network.model import Population
from snnc.targets.step_writer import Symbol, Writer

OPERATIONS = {  # what the words mean; whole numbers are those of a fixed network
    "add": "x + y",
    "sub": "x - y",
    "mul": "x * y",
    "lift": "fixed: x * 2**state_shift; float: x",
    "decay": "fixed: x * (2**decay_bits - y) / 2**decay_bits, truncated toward zero; float: x * (1 - y)",
    "floor_decay": "fixed: x * (2**decay_bits - y) / 2**decay_bits, rounded down; float: x * (1 - y)",
    "leak": "fixed: x - x * y / 2**decay_bits, the latter rounded down, and at least 1 where x > 0; float: x * (1 - y)",
    "multiply": "fixed: x * y / 2**decay_bits, truncated toward zero; float: x * y",
    "wrap": "fixed: with L = 2**(state_bits - 1), x - 2 L where x > L, x + 2 L where x <= -L, else x; float: x",
    "saturate": "fixed: with L = 2**(state_bits - 1), x cut to 1 - L .. L - 1; float: x",
    "clamp": "fixed: with L = 2**(state_bits - 1), x cut to -L .. L - 1; float: x",
    "above": "1 where x > y, else 0",
    "at_least": "1 where x >= y, else 0",
    "clear": "0 where y is not 0, else x",
    "reset_to": "z where y is not 0, else x",
    "subtract": "x - z where y is not 0, else x",
    "count": "x / y, rounded down, cut to 0 .. z",
    "remainder": "x - y * (x / y, rounded down, cut to 0 .. z)",
    "positive": "1 where x > 0, else 0",
    "silent": "0",
}


class _Words(Writer):
    """Every operation is written down, those on parameters alone, too."""

    def __init__(self, population: Population) -> None:
        super().__init__(population, Float())
        self.lines: list[list[str]] = []

    def apply(self, operation: str, *operands: Any) -> Symbol:
        return self.write(operation, *operands)

    def write(self, operation: str, *operands: Any) -> Symbol:
        name = f"{operation}{len(self.lines)}"
        self.lines.append([name, operation, *(self._word(x) for x in operands)])
        return Symbol(name, self)

    def _word(self, x: Any) -> str:
        if isinstance(x, Symbol):
            return x.name
        return str(x) if isinstance(x, int) else self.label(x)


def described(model: str) -> dict[str, Any]:
    """Return a step of a neuron model as data.

    ``do``: lines of result, operation, operands; an operand is the result of a line above, a state variable, a parameter, a
    number in digits, or ``current``, the sum that arrives. ``state`` and ``spikes``: which results they become.
    """
    neuron = neurons.get(model).example()
    words = _Words(Population("any", (1,), neuron))
    state, spikes = neuron.step({name: Symbol(name, words) for name in neuron.variables()}, Symbol("current", words), words)
    return {"do": words.lines, "state": {name: result.name for name, result in state.items()}, "spikes": spikes.name}
