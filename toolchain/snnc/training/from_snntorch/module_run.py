"""The other side of `snnc verify NET.snnc --against FILE.py:NAME`: a run of the user's own module on given rasters, as a `Run`
of the network that was made from it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from snnc.errors import DataError, NetworkError, UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network, Population
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters, Run, models
from snnc.training.from_snntorch.build import Built
from snnc.training.from_snntorch.compare import CLOSE, Observed, Peer, observed
from snnc.training.from_snntorch.convert import TimeAxis, understood
from snnc.training.from_snntorch.earlier import WRITER, stepping_as
from snnc.training.from_snntorch.float64 import in_float64, must_have_numbers
from snnc.training.from_snntorch.trace import reset


@dataclass(frozen=True, eq=False)
class ModuleRunner:
    """A function that runs a module on rasters of a network, and the connections whose weights are not those of the module."""

    run: Callable[[Rasters], Run]
    other_weights: tuple[str, ...]
    inner: int | None  # steps that the module makes of one frame, if it repeats it


def module_runner(module: nn.Module, net: Network, time_axis: TimeAxis, name: str) -> ModuleRunner:
    """Return what runs ``module`` in float64, from fresh states, on the rasters of ``net``.

    The layers of neurons fire in torch. Populations that are no layer of the module (max-pools, the neuron that brings biases)
    get what their connections make of the module's own spikes. Readouts have the voltages that torch computed; where those are
    within 1e-8 of the network's own on the module's spikes, which sums in another order, they are the network's. Raises
    UnsupportedError for an integer network, NetworkError for one that has other populations than the module.
    """
    if isinstance(net.numeric, Fixed):
        what = "computes in integers, the module in floats"
        raise UnsupportedError(what, where=f"network {net.name!r}", fix="hold the float network against the module")
    must_have_numbers(module, name)
    shape, writer = net.inputs[0].shape, _writer(net)
    with in_float64(module) as kept, stepping_as(module, writer):
        graded = net.inputs[0].message_bits > 0
        peer, built = understood(module, shape, time_axis, net.dt_s, peer_steps(net), 0, name, kept, pixels=graded)
    _must_match(net, built, name)

    def run(inputs: Rasters) -> Run:
        raster = inputs[net.inputs[0].name]
        with in_float64(module) as kept, stepping_as(module, writer):
            kept.restore()
            reset(module)
            seen = observed(peer, _frames(peer, raster, net))
        if seen.steps != raster.shape[1]:
            raise DataError(
                f"makes {seen.steps} steps of a raster of {raster.shape[1]}", where=name,
                fix=f"use {seen.steps} steps, with --random by --steps {seen.steps}",
            )  # fmt: skip
        spikes: dict[str, NDArray[Any]] = {net.inputs[0].name: raster}
        spikes |= {built.populations[layer]: fired.astype(np.uint8) for layer, fired in seen.spikes.items()}
        voltages: dict[str, dict[str, NDArray[Any]]] = {}
        for p in net.ordered:
            if p.neuron and not p.neuron.rule.fires:
                voltages[p.name] = {"v": _voltages(p, net, spikes, _read_out(p, built, seen, name))}
                spikes[p.name] = np.zeros((*raster.shape[:2], p.size), np.uint8)
            elif p.name not in spikes:
                spikes[p.name] = _helper(p, net, spikes, raster.shape)
        by, ordered = f"{name} in torch {torch.__version__}", {p.name: spikes[p.name] for p in net.populations}
        return Run(by, net.dt_s, ordered, voltages, {p.name: 0 for p in net.ordered}, models(net))

    return ModuleRunner(run, tuple(_other_weights(net, built.network)), peer.inner)


def _other_weights(net: Network, imported: Network) -> Iterator[str]:
    """Yield the connections that have other weights in a network than in what was imported of the module just now."""
    there, inputs = {c.name: c for c in imported.connections}, {p.name for p in net.inputs}
    for c in net.connections:
        if c.name in there and there[c.name].op.synapses.shape == c.op.synapses.shape:
            unit = net.encoding.unit if net.encoding and c.src in inputs else 1.0
            if abs(there[c.name].op.synapses.to_scipy() * unit - c.op.synapses.to_scipy()).max() > 0:
                yield c.name


def peer_steps(net: Network) -> int:
    """Return the steps of the trial run, as in the import."""
    steps = _imported(net).get("steps", 16)
    return steps if type(steps) is int and 0 < steps <= 100_000 else 16


def _writer(net: Network) -> str | None:
    """Return the version whose rules the module follows, as in the import."""
    return WRITER if _imported(net).get("writer") == WRITER else None


def _imported(net: Network) -> Mapping[str, Any]:
    """Return the settings of the import that made a network."""
    return next((s.settings for s in net.done if s.name == "import"), {})


def _must_match(net: Network, built: Built, name: str) -> None:
    sizes = {p.name: p.size for p in net.populations if p.neuron}
    for p in (built.network[population] for population in built.populations.values()):
        if sizes.get(p.name) != p.size:
            has = f"{sizes[p.name]} neurons" if p.name in sizes else "none"
            raise NetworkError(
                f"has {has} of population {p.name!r}, {name} has {p.size}", where=f"network {net.name!r}",
                fix="name the module that it was imported from",
            )  # fmt: skip


def _frames(peer: Peer, raster: NDArray[Any], net: Network) -> NDArray[Any]:
    """Return what the module takes: messages in its own unit; if it repeats a frame, they must be the same in all steps."""
    if peer.inner and (raster != raster[:, :1]).any():
        raise DataError(
            "takes one frame for all steps, and the raster changes", where=f"network {net.name!r}",
            fix="use data with the encoding constant, rasters that are the same in every step, or --random",
        )  # fmt: skip
    return raster * (net.encoding.unit if net.encoding else 1.0)


def _read_out(p: Population, built: Built, seen: Observed, name: str) -> NDArray[np.float64]:
    """Return the voltages of a readout in torch, (samples, steps, n). Raises UnsupportedError if the module hides them."""
    layer = next((layer for layer, population in built.populations.items() if population == p.name), None)
    voltages = seen.membranes[layer] if layer else seen.answer
    if voltages is None or voltages.shape[2] != p.size:
        raise UnsupportedError(
            f"returns no value of every step for the readout {p.name!r}", where=name, fix="return them stacked, first of all"
        )
    return voltages


def _voltages(p: Population, net: Network, spikes: dict[str, NDArray[Any]], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the voltages that torch computed, in the network's order of sums where the two agree within 1e-8."""
    into = net.into(p.name)
    sources = [replace(net[src], neuron=None) for src in dict.fromkeys(c.src for c in into)]
    alone = Network(net.name, (*sources, p), tuple(into), net.dt_s, net.numeric)
    run = simulate(alone, {source.name: spikes[source.name] for source in sources}, record=True)
    own: NDArray[np.float64] = run.states[p.name]["v"]
    agree = np.abs(own - seen) <= CLOSE * max(1.0, float(np.abs(own).max(initial=0)))
    return np.where(agree, own, seen)


def _helper(p: Population, net: Network, spikes: dict[str, NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the spikes of neurons that remember nothing, from the spikes of the module."""
    assert p.neuron is not None  # noqa: S101 - for the type checker: inputs are given
    current = np.zeros((*shape[:2], p.size))
    for c in net.into(p.name):
        sent = spikes[c.src].reshape(-1, c.op.n_src)
        current += c.op.apply(sent, net.numeric).reshape(current.shape)
    neuron: Any = p.neuron
    return np.asarray(current + neuron.bias > neuron.threshold, np.uint8)
