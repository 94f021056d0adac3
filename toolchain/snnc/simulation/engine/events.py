"""Kernels that follow each message to the synapses behind it: win when few neurons fire, or when there are few samples."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numpy.typing import NDArray

from snnc.base.jit import compiled
from snnc.network.delays import Part
from snnc.simulation.engine.adder import inlined
from snnc.simulation.engine.emit import fire_neurons
from snnc.simulation.engine.packing import bits_from
from snnc.simulation.engine.taps import Ints, narrowest, pooled, reach, shared_zeros, taps
from snnc.simulation.engine.vector import intrinsic

NOWHERE = np.ones(6, np.int64)


@dataclass(frozen=True, eq=False)
class Fanout:
    """The synapses of a part by what they meet: those of slot j are ``starts[j]`` .. ``starts[j + 1]``.

    Without a window, synapse k adds ``values[k]`` to the current of neuron ``of[k]``. With one, ``geometry`` holds the rows and
    columns of a source plane and of a destination plane, stride and size; slots are channels, and weight k leads from (y, x) to
    the row (y + ``up[k]``) / stride and so on of channel ``of[k]``, if there is one.
    """

    inputs: Ints  # (n_src,): the input that a source neuron is or is pooled to, -1 for none
    starts: NDArray[Any]  # unsigned, as are those of ``of``, so that numba need not look for -1
    of: NDArray[Any]
    values: NDArray[Any]  # of the type of the current; of one that holds the sums, if they are to be shifted down
    up: Ints
    left: Ints
    geometry: Ints
    down: int  # the sum is shifted down by that; what is shifted up already is in the values


def fanout(part: Part, kind: Any, message_bits: int) -> Fanout:
    """Return the synapses of a part, shared weights once, for currents of type ``kind``."""
    weights, cells = taps(part.op), pooled(part.op)
    exponent = part.op.exponent
    zeros = shared_zeros(weights.values)
    down = max(0, -exponent - zeros)
    kind = narrowest(*(end >> zeros for end in reach(part, message_bits))) if down else kind
    values = weights.values << exponent if exponent >= 0 else weights.values >> (-exponent - down)
    inputs = _inputs(part, cells) if len(weights.of) else np.full(part.op.n_src, -1)
    if weights.window is None or weights.channel is None or weights.position is None:
        by, count, geometry = weights.slot, weights.slots, NOWHERE
        up = left = np.zeros(0, np.int64)
    else:
        w = weights.window
        by, count = weights.channel[weights.slot], w.src_shape[0]
        row, column = np.divmod(weights.position[weights.slot], w.kernel[1])
        up, left = w.padding[0] - row * w.dilation[0], w.padding[1] - column * w.dilation[1]
        geometry = np.array([*w.src_shape[1:], *w.grid, *w.stride], np.int64)
    order = np.argsort(by, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(by, minlength=count))]).astype(np.uint64)
    up, left = (x[order] if len(x) else x for x in (up, left))
    return Fanout(inputs, starts, weights.of[order].astype(np.uint32), values[order].astype(kind), up, left, geometry, down)


def _inputs(part: Part, cells: NDArray[np.int64] | None) -> Ints:
    if cells is None:
        inputs = np.arange(part.op.n_src)
    else:
        inputs = np.full(part.op.n_src, -1)
        number = np.broadcast_to(np.arange(len(cells))[:, None], cells.shape)
        inputs[cells[cells >= 0]] = number[cells >= 0]
    return np.where(part.sources, inputs, -1) if part.sources is not None else inputs


@intrinsic
def _lowest(typing: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

    return types.intp(types.uint64), generate


@cache
def delivering(version: str) -> Any:
    """Return the kernel that brings messages to currents. ``version`` is the engine's: it is part of what numba caches."""

    @compiled
    def deliver(raster, first, start, delay, inputs, starts, of, values, up, left, geometry, current):  # type: ignore[no-untyped-def]
        """Add to ``current`` (samples, steps, n) what raster (samples, steps, n_src) sent ``delay`` steps before.

        The samples are those from ``first`` on, the steps those from ``start`` on.
        """
        version  # noqa: B018 - so that it belongs to the kernel
        n, any_bit = raster.shape[2], raster.dtype.type(0xFFFFFFFF)
        messages, into = raster.reshape(-1), current.reshape(-1)
        for s in range(current.shape[0]):
            for t in range(max(0, delay - start), current.shape[1]):
                sent = ((first + s) * raster.shape[1] + start + t - delay) * n
                here = np.uint64((s * current.shape[1] + t) * current.shape[2])
                for j in range(0, n, 64):
                    bits = bits_from(messages, sent, n, j, any_bit)
                    while bits:
                        at = j + _lowest(bits)
                        bits &= bits - np.uint64(1)
                        to, message = inputs[at], into.dtype.type(messages[sent + at])
                        if to >= 0 and len(up) == 0:
                            _send(message, np.uint64(starts[to]), np.uint64(starts[to + 1]), of, values, into, here)
                        elif to >= 0:
                            _stamp(message, to, starts, of, values, up, left, geometry, into, here)

    return deliver


@inlined
def _send(message, start, stop, of, values, into, base):  # type: ignore[no-untyped-def]
    """Bring one message over the synapses ``start`` .. ``stop`` to the currents from ``base`` on."""
    for k in range(start, stop):
        into[base + of[k]] += values[k] * message


@compiled
def _stamp(message, at, starts, of, values, up, left, geometry, into, base):  # type: ignore[no-untyped-def]
    """Bring one message over the kernel that it meets to the neuron of every place that sees it."""
    height, width, rows, columns, down, right = geometry
    channel, place = divmod(at, height * width)
    y, x = divmod(place, width)
    for k in range(starts[channel], starts[channel + 1]):
        row, row_rest = divmod(y + up[k], down)
        column, column_rest = divmod(x + left[k], right)
        if row_rest == 0 and column_rest == 0 and 0 <= row < rows and 0 <= column < columns:
            into[base + np.uint64((of[k] * rows + row) * columns + column)] += values[k] * message


@cache
def firing(text: str) -> Any:
    """Return the kernel for neurons whose step is the program ``text``."""

    @compiled
    def fire(current, states, parameters, numbers, first, start, traced, spikes, raster, trace):  # type: ignore[no-untyped-def]
        """Step the neurons of all samples through ``current`` (samples, steps, padded n).

        ``states`` (samples, states, padded n) from sample ``first`` on; spikes go to ``raster`` (samples, steps, n) from step
        ``start`` on, states to ``trace`` (states, samples, steps, n) from step ``traced`` on, if it holds any.
        """
        n = raster.shape[2]
        for s in range(current.shape[0]):
            for t in range(current.shape[1]):
                fire_neurons(text, states, first + s, parameters, numbers, current, s * current.shape[1] + t, spikes)
                for i in range(n):
                    raster[first + s, start + t, i] = spikes[i]
                for k in range(trace.shape[0]):
                    for i in range(n):
                        trace[k, first + s, traced + t, i] = states[first + s, k, i]

    return fire
