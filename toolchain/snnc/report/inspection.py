"""What is in a network, in numbers that a person can check: every parameter as float, integer and float again. For reports."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.current_bounds import current_bound
from snnc.base.public import public
from snnc.errors import NetworkError, UnsupportedError
from snnc.network.arithmetic import Fixed
from snnc.network.connectivity import parameter_connectivity, synapse_connectivity
from snnc.network.latency import latency
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.network.tiling import one_tile
from snnc.passes.quantise import recorded, scales
from snnc.passes.scaling import decode_parameter, decode_weights

Range = tuple[float, float]  # least and most over all neurons or synapses


@dataclass(frozen=True)
class PopulationFacts:
    """A population; ``scale`` and ``limited_by`` as `quantise` recorded them, the reach of u from the weights of now.

    ``hops``: connections on the way from the inputs, each a step on a chip; None where a loop leaves no time for its hops.
    """

    name: str
    shape: tuple[int, ...]
    neuron: str | None
    message_bits: int
    hops: int | None
    scale: float | None
    limited_by: str | None
    current_reach: int | None  # the largest |u| that any input can bring about, in state units
    current_limit: int | None  # where u would wrap
    max_spikes_per_step: int | None = None  # messages that an input sends in a step at most; None: any number


@dataclass(frozen=True)
class ConnectionFacts:
    """A connection. Errors are |float - decoded integer| and known only beside the float network."""

    name: str
    src: str
    dst: str
    delay_steps: int
    operator: str
    stored_weights: int  # that exist; those of a convolution are shared
    synapses: int  # that exist when every shared weight is unrolled
    parameter_connectivity: float
    synapse_connectivity: float
    weights: Range
    exponent: int | None
    sign_mode: str | None
    decoded: Range | None
    half_step: float | None  # the largest error of rounding to the grid
    max_error: float | None
    mean_error: float | None
    kept_but_zero: int  # stored weights that exist with a weight of 0


@dataclass(frozen=True)
class ParameterFacts:
    """A neuron parameter of a population: float -> integer -> float."""

    population: str
    name: str
    unit: str
    before: Range | None  # in the float network
    value: Range  # in this network
    decoded: Range | None
    half_step: float | None
    max_error: float | None


@dataclass(frozen=True)
class Inspection:
    """All facts about a network; ``rules`` holds the eight answers of each neuron model in it.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> snnc.inspect(net).numeric
        'float'
    """

    name: str
    numeric: str
    parameter_connectivity: float
    synapse_connectivity: float
    populations: tuple[PopulationFacts, ...]
    rules: Mapping[str, Mapping[str, Any]]
    connections: tuple[ConnectionFacts, ...]
    parameters: tuple[ParameterFacts, ...]
    done: tuple[Stage, ...]

    def __repr__(self) -> str:
        parts = f"{len(self.populations)} populations, {len(self.connections)} connections, {len(self.parameters)} parameters"
        return f"Inspection({self.name!r}, {self.numeric}, {parts})"


@public
def inspect(net: Network, against: Network | None = None) -> Inspection:
    """Return the facts about a network; with ``against``, the float network that it was made from, also what rounding cost.

    Of equal tiles, the facts are those of one; of many synapses, the ranges and errors of weights are those of a sample.

    Args:
        net: A network.
        against: The float network that it was made from.

    Returns:
        Populations, connections, parameters as float, integer and float again, and the stages that made it.

    Raises:
        NetworkError: ``against`` has other populations, connections or parameters.

    Examples:
        >>> import snnc
        >>> net = snnc.train("digits", hidden=(16,), epochs=1, steps=4)
        >>> inspection = snnc.inspect(snnc.quantise(net, "loihi1"), net)
        >>> [c.name for c in inspection.connections if c.max_error <= c.half_step]
        ['fc1', 'fc2']
    """
    net = one_tile(net)
    weights, floats = _floats(net, one_tile(against)) if against else ({}, {})
    return Inspection(
        net.name,
        f"fixed ({net.numeric.profile})" if isinstance(net.numeric, Fixed) else "float",
        parameter_connectivity(net),
        synapse_connectivity(net),
        _populations(net),
        {p.neuron.model(): p.neuron.answers() for p in net.populations if p.neuron},
        tuple(_connection(c, net, weights.get(c.name)) for c in net.connections),
        tuple(_parameter(p, name, net, floats.get(f"{p.name}.{name}")) for p in net.populations for name in _names(p)),
        net.done,
    )


def _names(p: Population) -> tuple[str, ...]:
    return tuple(p.neuron.parameters()) if p.neuron else ()


def _floats(net: Network, source: Network) -> tuple[dict[str, Synapses], dict[str, NDArray[Any]]]:
    """Return the synapses of floats behind each connection, and the floats behind each population's parameters."""
    if isinstance(source.numeric, Fixed):
        raise NetworkError("is fixed-point itself", where=f"network {source.name!r}", fix="name the float network")
    wires, populations = {c.name: c for c in source.connections}, {p.name: p for p in source.populations}
    weights, floats = dict[str, Synapses](), dict[str, NDArray[Any]]()
    for c in net.connections:
        wire = wires.get(c.name)
        if wire is None or _shape(wire) != _shape(c):
            raise NetworkError(f"has no connection {c.name!r} of this shape", where=f"network {source.name!r}")
        weights[c.name] = wire.op.synapses
    for p in net.populations:
        other = populations.get(p.name)
        if other is None or type(other.neuron) is not type(p.neuron) or other.size != p.size:
            raise NetworkError(f"has no population {p.name!r} of this kind", where=f"network {source.name!r}")
        floats |= {f"{p.name}.{name}": getattr(other.neuron, name) for name in _names(p)}
    return weights, floats


def _shape(c: Connection) -> tuple[Any, ...]:
    return c.op.kind, c.op.synapses.shape, c.op.geometry()


def _populations(net: Network) -> tuple[PopulationFacts, ...]:
    limited_by = recorded(net, "limited_by")
    bounds = current_bound(net) if isinstance(net.numeric, Fixed) else {}
    try:
        hops = latency(net)
    except UnsupportedError:
        hops = {}
    return tuple(
        PopulationFacts(
            p.name,
            p.shape,
            p.neuron.model() if p.neuron else None,
            p.message_bits,
            hops.get(p.name),
            scales(net).get(p.name),
            limited_by.get(p.name),
            bounds[p.name].reach if p.name in bounds else None,
            bounds[p.name].limit if p.name in bounds else None,
            p.max_spikes_per_step,
        )
        for p in net.populations
    )


def _connection(c: Connection, net: Network, theirs: Synapses | None) -> ConnectionFacts:
    ours, floats = c.op.synapses, None
    if theirs is not None:
        floats, _ = theirs.sample().at(ours.sample()) if ours.count == theirs.count else theirs.at(ours)
    all_known = floats is not None and len(floats) == c.op.synapses.count
    op, scale = c.op if all_known else replace(c.op, synapses=c.op.synapses.sample()), scales(net).get(c.dst)
    values, fixed = op.synapses.values, isinstance(net.numeric, Fixed)
    decoded = decode_weights(op, scale) if scale else None
    errors = np.abs(decoded - floats) if decoded is not None and floats is not None and len(floats) else None
    return ConnectionFacts(
        c.name, c.src, c.dst, c.delay_steps, c.op.kind, c.op.synapses.count, c.op.synapse_count,
        parameter_connectivity=parameter_connectivity(c),
        synapse_connectivity=synapse_connectivity(c),
        weights=_range(values),
        exponent=c.op.exponent if fixed else None,
        sign_mode=c.op.sign_mode,
        decoded=_range(decoded) if decoded is not None else None,
        half_step=_weight_step(c, net.numeric, scale) / 2 if isinstance(net.numeric, Fixed) and scale else None,
        max_error=float(errors.max()) if errors is not None else None,
        mean_error=float(errors.mean()) if errors is not None else None,
        kept_but_zero=int(np.count_nonzero(values == 0)),
    )  # fmt: skip


def _weight_step(c: Connection, numeric: Fixed, scale: float) -> float:
    return weight_grid(numeric, c.op.sign_mode or "mixed").step * 2.0**c.op.exponent / scale


def _parameter(p: Population, name: str, net: Network, before: NDArray[Any] | None) -> ParameterFacts:
    value, unit = getattr(p.neuron, name), p.neuron.unit(name)  # type: ignore[union-attr]
    scale = scales(net).get(p.name, None if unit.scaled else 1.0)
    decoded = half_step = None
    if isinstance(net.numeric, Fixed) and scale:
        decoded = decode_parameter(value, unit, scale, net.numeric)
        half_step = unit.grid(value, net.numeric) / 2 / unit.per_float(scale, net.numeric)
    known = decoded is not None and before is not None
    return ParameterFacts(
        p.name, name, unit.name,
        before=_range(before) if before is not None else None,
        value=_range(value),
        decoded=_range(decoded) if decoded is not None else None,
        half_step=half_step,
        max_error=float(np.abs(decoded - before).max()) if known else None,  # type: ignore[operator]
    )  # fmt: skip


def _range(values: NDArray[Any]) -> Range:
    return (values.min().item(), values.max().item()) if values.size else (0, 0)  # a rule may draw no synapse
