"""The reference simulator: what a network means, in floats or in a chip's integers. Plain and slow; samples run side by
side, each from a fresh state.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.delays import Part, parts
from snnc.network.model import Network, Population
from snnc.network.neuron import NeuronState
from snnc.simulation.input_budget import check_budget
from snnc.simulation.run import Rasters, Run, models


def simulate(net: Network, inputs: Rasters, *, record: bool = False) -> Run:
    """Run a network on input rasters, one (samples, steps, n) array of integers for each input population.

    ``record`` keeps the states of every step; those of readouts, which never fire, are always kept. Raises DataError
    if an input is missing, has the wrong shape, holds messages that its population cannot send, or more than its budget.
    """
    samples, steps = check_inputs(net, inputs)
    for p in net.inputs:
        check_messages(p, inputs[p.name])
    spikes = {p.name: inputs[p.name] if p.neuron is None else np.zeros((samples, steps, p.size), np.uint8) for p in net.ordered}
    state = {p.name: _initial(p, samples, net) for p in net.populations if p.neuron}
    into = {p.name: [(c.src, part) for c in net.into(p.name) for part in parts(c)] for p in net.populations}
    kept = [p for p in net.populations if p.neuron and (record or not p.neuron.rule.fires)]
    trace: dict[str, dict[str, NDArray[Any]]] = {
        p.name: {k: np.zeros((samples, steps, p.size), net.numeric.dtype) for k in state[p.name]} for p in kept
    }
    for step in range(steps):
        for p in net.ordered:
            if p.neuron is None:
                continue
            current = sum(
                (_current(part, spikes[src], step, net) for src, part in into[p.name]),
                np.zeros((samples, p.size), net.numeric.dtype),
            )
            state[p.name], spikes[p.name][:, step] = p.neuron.step(state[p.name], current, net.numeric)
            for variable in trace.get(p.name, ()):
                trace[p.name][variable][:, step] = state[p.name][variable]
    return Run("reference", net.dt_s, spikes, trace, {p.name: 0 for p in net.populations}, models(net))


def _initial(p: Population, samples: int, net: Network) -> NeuronState:
    assert p.neuron is not None  # noqa: S101 - for the type checker; callers ask for neurons only
    return {s.name: np.full((samples, p.size), s.initial, net.numeric.dtype) for s in p.neuron.states}


def _current(part: Part, spikes: NDArray[Any], step: int, net: Network) -> NDArray[Any]:
    """Return what a part of a connection adds to its destination in ``step``: (samples, n_dst), in weight units."""
    sent = step - part.delay_steps
    if sent < 0:
        return np.zeros((len(spikes), part.op.n_dst), net.numeric.dtype)
    return part.current(spikes[:, sent], net.numeric)


def check_inputs(net: Network, inputs: Rasters) -> tuple[int, int]:
    """Return (samples, steps) of the inputs, which must agree.

    Raises DataError for shapes and types that do not suit the network, and for inputs beyond their budgets.
    """
    for p in net.inputs:
        where = f"input {p.name!r}"
        if p.name not in inputs:
            raise DataError("got no raster", where=where, fix=f"pass one of shape (samples, steps, {p.size})")
        raster = inputs[p.name]
        if raster.ndim != 3 or raster.shape[2] != p.size or raster.dtype.kind not in "uib":
            raise DataError(
                f"got {raster.dtype} of shape {raster.shape}, expected integers of shape (samples, steps, {p.size})",
                where=where, fix="turn it into that form",
            )  # fmt: skip
    shapes = {inputs[p.name].shape[:2] for p in net.inputs}
    if len(shapes) != 1:
        raise DataError(f"inputs differ in samples and steps: {sorted(shapes)}", fix="give all inputs as many of both")
    for p in net.inputs:
        check_budget(p, inputs[p.name])
    samples, steps = shapes.pop()
    return samples, steps


_LIMIT = "clip them, or set message_bits of the population"


def check_messages(p: Population, raster: NDArray[np.integer]) -> None:
    """Raise DataError for messages that an input does not send."""
    highest = 2 ** max(p.message_bits, 1) - 1
    if raster.size and ((raster.dtype.kind == "i" and raster.min() < 0) or raster.max() > highest):
        where = f"input {p.name!r}"
        raise DataError(f"got messages {raster.min()} .. {raster.max()}, it sends 0 .. {highest}", where=where, fix=_LIMIT)
