"""An ONNX graph that is being built, and a neuron's arithmetic in its nodes. Used by `_onnx`, which needs the package onnx."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed, Float, Numeric
from snnc.network.model import Population
from snnc.targets.step_writer import Symbol, Writer


class Graph:
    """Nodes and constants under names that begin with ``prefix``, so that the body of a Scan can lie within another graph."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def name(self, name: str) -> str:
        """Return a name as this graph has it."""
        return self.prefix + name

    def node(self, operator: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        """Add a node with one output, called ``result`` or else after its operator; returns the name of the output."""
        from onnx import helper

        output = self.name(result) if result else self.name(f"{operator}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=f"{output}:{operator}", **attributes))
        return output

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant of that name, once however often it is asked for."""
        from onnx import numpy_helper

        name = self.name(name)
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return name

    def number(self, value: int, dtype: Any = np.int64) -> str:
        """Add a constant of shape ()."""
        return self.constant(f"{np.dtype(dtype).name}:{value}", np.array(value, dtype))

    def shape(self, *sizes: int) -> str:
        """Add a constant shape; -1 stands for what is left."""
        return self.constant("shape:" + "x".join(map(str, sizes)), np.array(sizes, np.int64))

    def cast(self, value: str, dtype: Any, result: str = "") -> str:
        """Add the same numbers as another type."""
        from onnx import helper

        return self.node("Cast", value, result=result, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


class OnnxArith(Writer):
    """`Float` in nodes: the neurons of one population, shape (samples, n). Nothing is rounded, wrapped or saturated."""

    dtype: type = np.float64

    def __init__(self, graph: Graph, population: Population, numeric: Numeric) -> None:
        super().__init__(population, numeric)
        self.graph = graph

    def write(self, operation: str, *operands: Any) -> Symbol:
        return Symbol(getattr(self, f"_{operation}")(*operands), self)

    def _node(self, operator: str, *operands: Any) -> str:
        return self.graph.node(operator, *(self._operand(x) for x in operands))

    def _operand(self, x: Any) -> str:
        if isinstance(x, Symbol):
            return x.name
        if isinstance(x, int):
            return self.graph.number(x, self.dtype)
        return x if isinstance(x, str) else self.graph.constant(f"{self.population.name}.{self.label(x)}", x.astype(self.dtype))

    def _truth(self, operator: str, *operands: Any) -> str:
        return self.graph.cast(self._node(operator, *operands), self.dtype)

    def _add(self, x: Any, y: Any) -> str:
        return self._node("Add", x, y)

    def _sub(self, x: Any, y: Any) -> str:
        return self._node("Sub", x, y)

    def _mul(self, x: Any, y: Any) -> str:
        return self._node("Mul", x, y)

    def _lift(self, x: Symbol) -> str:
        return x.name

    def _decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        return self._node("Mul", x, self.derived(1 - decay, "kept", decay))

    def _floor_decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        return self._decay(x, decay)

    def _leak(self, x: Symbol, decay: NDArray[Any]) -> str:
        return self._decay(x, decay)

    def _multiply(self, x: Symbol, fraction: NDArray[Any]) -> str:
        return self._node("Mul", x, fraction)

    def _wrap(self, x: Symbol) -> str:
        return x.name

    def _saturate(self, x: Symbol) -> str:
        return x.name

    def _clamp(self, x: Symbol) -> str:
        return x.name

    def _count(self, v: Symbol, threshold: Any, most: int) -> str:
        return self._node("Clip", self._node("Floor", self._node("Div", v, threshold)), 0, most)

    def _remainder(self, v: Symbol, threshold: Any, most: int) -> str:
        return self._node("Sub", v, self._node("Mul", self._count(v, threshold, most), threshold))

    def _above(self, v: Symbol, threshold: Any) -> str:
        return self._truth("Greater", v, threshold)

    def _at_least(self, v: Symbol, threshold: Any) -> str:
        return self._truth("GreaterOrEqual", v, threshold)

    def _clear(self, v: Symbol, spikes: Symbol) -> str:
        return self._reset_to(v, spikes, 0)

    def _reset_to(self, v: Symbol, spikes: Symbol, value: Any) -> str:
        return self._node("Where", self.graph.cast(spikes.name, np.bool_), value, v)

    def _subtract(self, v: Symbol, spikes: Symbol, amount: Any) -> str:
        return self._node("Sub", v, self._node("Mul", spikes, amount))

    def _positive(self, x: Symbol) -> str:
        return self._truth("Greater", x, 0)

    def _silent(self, v: Symbol) -> str:
        return self._truth("Less", v, v)


class OnnxFixed(OnnxArith):
    """`Fixed` in nodes of int64, rule by rule. Division and remainder only of what is not negative, or only to minus infinity:
    the runtimes differ in how they round the others."""

    dtype = np.int64
    numeric: Fixed

    def _lift(self, x: Symbol) -> str:
        return self._node("Mul", x, 1 << self.numeric.state_shift)

    def _decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        one = 1 << self.numeric.decay_bits
        product = self._node("Mul", self._node("Abs", x), self.derived(one - decay, "kept", decay))
        return self._node("Mul", self._node("Sign", x), self._node("Div", product, one))

    def _floor_decay(self, x: Symbol, decay: NDArray[Any]) -> str:
        one = 1 << self.numeric.decay_bits
        product = self._node("Mul", x, self.derived(one - decay, "kept", decay))
        return self._node("Div", self._node("Sub", product, self._node("Mod", product, one)), one)

    def _leak(self, x: Symbol, decay: NDArray[Any]) -> str:
        one = 1 << self.numeric.decay_bits
        product = self._node("Mul", x, decay)
        lost = self._node("Div", self._node("Sub", product, self._node("Mod", product, one)), one)
        more = self._node("Mul", self._truth("Greater", x, 0), self._truth("Less", lost, 1))
        return self._node("Sub", x, self._node("Add", lost, more))

    def _multiply(self, x: Symbol, fraction: NDArray[Any]) -> str:
        size, sign = self.derived(np.abs(fraction), "size", fraction), self.derived(np.sign(fraction), "sign", fraction)
        left = self._node("Div", self._node("Mul", self._node("Abs", x), size), 1 << self.numeric.decay_bits)
        return self._node("Mul", self._node("Mul", self._node("Sign", x), sign), left)

    def _wrap(self, x: Symbol) -> str:
        limit = self.numeric.state_limit
        below = self._node("Where", self._node("LessOrEqual", x, -limit), self._node("Add", x, 2 * limit), x)
        return self._node("Where", self._node("Greater", x, limit), self._node("Sub", x, 2 * limit), below)

    def _saturate(self, x: Symbol) -> str:
        limit = self.numeric.state_limit
        return self._node("Clip", x, 1 - limit, limit - 1)

    def _clamp(self, x: Symbol) -> str:
        return self._node("Clip", x, -self.numeric.state_limit, self.numeric.state_limit - 1)

    def _count(self, v: Symbol, threshold: Any, most: int) -> str:
        """A negative v counts as 0 before it is divided: the runtimes differ in how they round it."""
        return self._node("Min", self._node("Div", self._node("Max", v, 0), threshold), most)


def arith(graph: Graph, population: Population, numeric: Numeric) -> OnnxArith:
    """Return the arithmetic of a population in nodes of ``graph``."""
    kinds: Mapping[str, type[OnnxArith]] = {Float.kind: OnnxArith, Fixed.kind: OnnxFixed}
    return kinds[numeric.kind](graph, population, numeric)
