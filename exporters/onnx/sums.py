"""The weighted sums of an operator as ONNX nodes: (samples, n_src) messages -> (samples, n_dst) currents. Used by `_onnx`.

Fixed networks use MatMulInteger and ConvInteger on 8-bit weights, so shared kernels stay shared. Float networks add up synapse
by synapse in the order of the reference simulator, so that not one bit differs; no matrix product promises an order.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed
from snnc.network.delays import Part
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d

from .._shared.integers import in_bytes
from .graph import Graph

SPARSE_BYTES = 9  # of a weight: its 8 bits and its place, an int64
DIGIT = 128  # large messages are weighed in digits below it: some kernels for 8 bits cut sums of two products at 16 bits


@dataclass(frozen=True, eq=False)
class Weights:
    """Integers of 8 bits at places of a tensor, the rest 0; a weight is ``factor`` times its integer."""

    shape: tuple[int, ...]
    places: NDArray[np.int64]  # ascending, as if the tensor were one row
    values: NDArray[Any]  # int8 or uint8
    factor: int

    @property
    def dense_bytes(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """In the file: as a sparse constant where that is smaller."""
        return min(self.dense_bytes, SPARSE_BYTES * len(self.values))


def weights(op: Op, numeric: Fixed) -> Weights:
    """Return the weights of a dense operator as (inputs, n_dst), others' as a kernel (C_out, C_in / groups, rows, columns)."""
    values, factor = in_bytes(op, numeric)
    rows, columns = op.synapses.rows, op.synapses.indices.astype(np.int64)
    if isinstance(op, Conv2d):
        return Weights(op.kernel_shape, rows * op.synapses.shape[1] + columns, values, factor)
    if isinstance(op, SumPool2d):
        shape = (op.window.src_shape[0], 1, *op.window.kernel)
        count = prod(shape) if len(values) else 0
        return Weights(shape, np.arange(count), np.resize(values, count), factor)
    places = columns * op.n_dst + rows
    order = np.argsort(places)
    return Weights((op.synapses.shape[1], op.n_dst), places[order], values[order], factor)


def most(part: Part, message: int) -> int:
    """Return the largest magnitude of a sum in the products' 32-bit registers, for messages up to ``message``."""
    part = replace(part, op=_summing(part.op))
    largest = message * (int(part.op.pool.taps) if part.op.pool else 1)
    sums = part.op.sums(np.abs(part.op.synapses.values)) * min(largest, DIGIT - 1)
    return int(sums.max(initial=0))


def fixed_sums(graph: Graph, name: str, part: Part, messages: str, message: int, numeric: Fixed) -> str:
    """Return the currents that a part of a connection adds (int64). ``message``: the largest that there can be."""
    op, digits = _summing(part.op), _digits(graph, _masked(graph, name, part, messages, message), message)
    if op.pool:
        pooled = _weigh(graph, digits, _pool(op.pool), f"{name}.pool", op.pool)
        pooled = graph.node("Reshape", pooled, graph.shape(-1, prod(op.input_shape)))
        digits = _digits(graph, pooled, message * op.pool.taps)
    op = replace(op, pool=None)
    window = op.window if isinstance(op, Conv2d | SumPool2d) else None
    groups = op.groups if isinstance(op, Conv2d) else None
    total = _weigh(graph, digits, weights(op, numeric), f"{name}.weights", window, groups)
    if isinstance(part.op, MaxPool2d):
        return _largest(graph, _shifted(graph, total, op.exponent), part.op, np.int64)
    if window:
        total = graph.node("Reshape", total, graph.shape(-1, op.n_dst))
    return _shifted(graph, total, op.exponent)


def _summing(op: Op) -> Op:
    """Return the operator that makes the weighted sums."""
    return op.summing if isinstance(op, MaxPool2d) else op


def message_type(message: int) -> Any:
    """Return the type of messages up to this one."""
    return np.uint8 if message < 256 else np.int32


def _masked(graph: Graph, name: str, part: Part, messages: str, message: int) -> str:
    """Return the messages of the part's sources."""
    if part.sources is None:
        return messages
    mask, none = graph.constant(f"{name}.carried", part.sources), graph.number(0, message_type(message))
    return graph.node("Where", mask, messages, none)


def _digits(graph: Graph, messages: str, message: int) -> list[tuple[int, str]]:
    """Return messages as [(what a digit counts, digits as uint8)]."""
    if message < DIGIT:
        return [(1, graph.cast(messages, np.uint8))]
    digits, left, unit = [], graph.cast(messages, np.int64), 1
    while unit <= message:
        digits.append((unit, graph.cast(graph.node("Mod", left, graph.number(DIGIT)), np.uint8)))
        left, unit = graph.node("Div", left, graph.number(DIGIT)), unit * DIGIT
    return digits


def _pool(pool: Window) -> Weights:
    shape = (pool.src_shape[0], 1, *pool.kernel)
    return Weights(shape, np.arange(prod(shape)), np.ones(prod(shape), np.uint8), 1)


def _weigh(
    graph: Graph, digits: list[tuple[int, str]], w: Weights, name: str, window: Window | None, groups: int | None = None
) -> str:
    """Return the sums (int64) of all digits; with a window as planes."""
    kernel, totals = _constant(graph, w, name), []
    for unit, digit in digits:
        if window is None:
            sums = graph.node("MatMulInteger", digit, kernel)
        else:
            planes = graph.node("Reshape", digit, graph.shape(-1, *window.src_shape))
            geometry: dict[str, Any] = {
                "strides": window.stride,
                "pads": (*window.padding, *window.padding),
                "dilations": window.dilation,
            }
            sums = graph.node("ConvInteger", planes, kernel, group=groups or window.src_shape[0], **geometry)
        totals.append(graph.node("Mul", graph.cast(sums, np.int64), graph.number(unit * w.factor)))
    return _total(graph, totals)


def _largest(graph: Graph, sums: str, op: MaxPool2d, dtype: Any) -> str:
    """Return the largest of sums under each place, (samples, n_dst). ONNX's own MaxPool takes no integers of 64 bits."""
    places = op.window
    least = np.iinfo(dtype).min if np.issubdtype(dtype, np.integer) else -np.inf
    pads = graph.shape(0, 0, *places.padding, 0, 0, *places.padding)
    outside = graph.constant(f"outside:{np.dtype(dtype).name}", np.array(least, dtype))
    planes = graph.node("Reshape", sums, graph.shape(-1, *places.src_shape))
    padded = graph.node("Pad", planes, pads, outside)
    taps = []
    for tap in range(places.taps):
        first = [k * d for k, d in zip(divmod(tap, places.kernel[1]), places.dilation, strict=True)]
        last = [f + (n - 1) * s + 1 for f, n, s in zip(first, places.grid, places.stride, strict=True)]
        cut = [graph.shape(*numbers) for numbers in (first, last, (2, 3), places.stride)]
        taps.append(graph.node("Slice", padded, *cut))
    return graph.node("Reshape", graph.node("Max", *taps), graph.shape(-1, op.n_dst))


def _total(graph: Graph, terms: list[str]) -> str:
    total = terms[0]
    for term in terms[1:]:
        total = graph.node("Add", total, term)
    return total


def _constant(graph: Graph, w: Weights, name: str) -> str:
    """Add the weights, sparse where that is smaller: the runtime unpacks it when it loads the file."""
    from onnx import helper, numpy_helper

    if w.bytes == w.dense_bytes:
        tensor = np.zeros(w.dense_bytes, w.values.dtype)
        tensor[w.places] = w.values
        return graph.constant(name, tensor.reshape(w.shape))
    values, places = numpy_helper.from_array(w.values, graph.name(name)), numpy_helper.from_array(w.places)
    return graph.node("Constant", result=name, sparse_value=helper.make_sparse_tensor(values, places, w.shape))


def _shifted(graph: Graph, total: str, exponent: int) -> str:
    """Apply the weight exponent; negative ones round to minus infinity, as what is left after the remainder divides evenly."""
    if exponent >= 0:
        return graph.node("Mul", total, graph.number(1 << exponent))
    one = graph.number(1 << -exponent)
    return graph.node("Div", graph.node("Sub", total, graph.node("Mod", total, one)), one)


def float_sums(graph: Graph, name: str, part: Part, messages: str, message: int, max_synapses: int) -> str:
    """Return the currents that a part of a connection adds (float64), bit for bit those of the reference.

    Raises DoesNotFitError if an operator unrolls to more than ``max_synapses``.
    """
    if isinstance(part.op, MaxPool2d):
        sums = float_sums(graph, name, replace(part, op=part.op.summing), messages, message, max_synapses)
        return _largest(graph, sums, part.op, np.float64)
    op, masked = part.op, graph.cast(_masked(graph, name, part, messages, message), np.float64)
    if op.pool:
        masked = _scattered(graph, f"{name}.pool", SumPool2d.of_weight(1.0, op.pool).unrolled(max_synapses), masked)
        op = replace(op, pool=None)
    if isinstance(op, Conv2d):
        taps = op.synapses.indices % op.window.taps
        kernels = [(f"{name}.tap{tap}", op.keep(taps == tap).unrolled(max_synapses)) for tap in np.unique(taps)]
        return _total(graph, [_scattered(graph, tap, kernel, masked) for tap, kernel in kernels])
    if isinstance(op, SumPool2d):
        masked = _scattered(graph, name, SumPool2d.of_weight(1.0, op.window).unrolled(max_synapses), masked)
        return graph.node("Mul", masked, graph.constant(f"{name}.weight", op.synapses.values.sum()))
    return _scattered(graph, name, op.unrolled(max_synapses), masked)


def _scattered(graph: Graph, name: str, s: Synapses, inputs: str) -> str:
    """Add synapse by synapse, in the order in which they are stored."""
    from onnx import numpy_helper

    at = graph.node("Gather", inputs, graph.constant(f"{name}.sources", s.indices), axis=1)
    terms = graph.node("Mul", at, graph.constant(f"{name}.weights", s.values))
    rows = graph.constant(f"{name}.destinations", s.rows.astype(np.int32)[None])
    rows = graph.node("Expand", rows, graph.node("Shape", terms))
    samples = graph.node("Shape", inputs, start=0, end=1)
    shape = graph.node("Concat", samples, graph.shape(s.shape[0]), axis=0)
    zeros = graph.node("ConstantOfShape", shape, value=numpy_helper.from_array(np.zeros(1)))
    return graph.node("ScatterElements", zeros, rows, terms, axis=1, reduction="add")
