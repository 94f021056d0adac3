"""The nodes and edges that say in NIR what a network says in populations and connections. Used by `nir`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc import ops
from snnc.network.model import Connection, Network, Population
from snnc.network.window import Window
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d

Tree = dict[str, Any]
Shape = tuple[int, ...]
Floats = NDArray[np.float64]
_NEURONS = ("lif", "cuba", "li")
_OPERATORS = ("dense", "conv2d", "sumpool2d")


@dataclass(frozen=True)
class Where:
    """Which nodes hold the arrays of a population and of a connection."""

    populations: dict[str, str] = field(default_factory=dict)
    connections: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Graph:
    """Nodes and edges so far. ``net`` is the network, ``real`` the same in real numbers."""

    net: Network
    real: Network
    names: dict[str, dict[str, str]]  # "populations", "connections" -> own name -> that in the file
    nodes: dict[str, Tree] = field(default_factory=dict)
    edges: list[list[str]] = field(default_factory=list)
    where: Where = field(default_factory=Where)

    def add(self, name: str, kind: str, fields: Tree, metadata: Tree | None = None) -> str:
        """Add a node under a name of its own, which is returned."""
        while name in self.nodes:
            name += "_"
        self.nodes[name] = {"type": kind, **fields, **({"metadata": {"snnc": metadata}} if metadata else {})}
        return name


def neuron_problem(model: str) -> str:
    """Return why NIR has no such neuron; empty if it has."""
    if model in _NEURONS:
        return ""
    lacks = f"NIR has no neuron {model!r}; its neurons reset to a voltage and have no refractory period"
    return f"{lacks}, and what only metadata would say no other tool reads; export to npz, or train with reset to zero"


def operator_problem(kind: str) -> str:
    """Return why NIR has no such operator; empty if it has."""
    return "" if kind in _OPERATORS else f"NIR has no operator {kind!r}{ops.remedy(kind)}"


def problems(real: Network) -> Iterator[str]:
    """Yield everything in a float network that NIR cannot express."""
    yield from (f"connection {c.name!r}: {reason}" for c in real.connections if (reason := operator_problem(c.op.kind)))
    for p in real.populations:
        if p.neuron and (reason := neuron_problem(p.neuron.model())):
            yield f"population {p.name!r}: {reason}"
        elif p.neuron:
            yield from (f"population {p.name!r} {problem}" for problem in _neuron_problems(p, real))
        spatial = [_is_spatial(c) for c in real.into(p.name)]
        if any(spatial) and not all(spatial):
            yield f"population {p.name!r} gets planes and flat values; NIR cannot give flat values a shape"
        if spatial and not any(spatial) and any(_sees_planes(c) for c in real.out_of(p.name)):
            yield f"population {p.name!r} gets flat values and sends planes; NIR cannot give flat values a shape"


def _neuron_problems(p: Population, real: Network) -> Iterator[str]:
    neuron: Any = p.neuron
    v, u = np.asarray(neuron.decay_v), np.asarray(getattr(neuron, "decay_u", 1.0))
    if v.min() == 0 < v.max():
        yield "has neurons with and without leak; NIR has other nodes for those; put them into two populations"
    if u.min() == 0:
        yield "has a synaptic current that never decays; NIR needs a time constant"
    if v.max() == 0 and u.min() < 1:
        yield "has a synaptic current and no leak; NIR's CubaLIF and CubaLI need a time constant of the voltage"
    if v.max() == 0 and np.any(neuron.bias) and not _carrier(p, real):
        yield "has a bias and no leak, and no dense or convolutional connection without delay that could carry it in NIR"


def _is_spatial(c: Connection) -> bool:
    """Tell whether a connection brings planes."""
    return not isinstance(c.op, Dense)


def _sees_planes(c: Connection) -> bool:
    return c.op.pool is not None or not isinstance(c.op, Dense)


def _carrier(p: Population, real: Network) -> Connection | None:
    """Return the connection whose node carries the bias of a population: the first that can."""
    neuron: Any = p.neuron
    if not np.any(neuron.bias) or np.min(getattr(neuron, "decay_u", 1.0)) < 1:
        return None
    per_channel = np.broadcast_to(neuron.bias, p.size).reshape(p.shape[0], -1)
    for c in real.into(p.name):
        if isinstance(c.op, Dense) or (isinstance(c.op, Conv2d) and (per_channel == per_channel[:, :1]).all()):
            return c
    return None


def graph(net: Network, real: Network) -> tuple[dict[str, Tree], list[list[str]], Where]:
    """Return (nodes, edges, where what is)."""
    made = _Graph(net, real, _names_in_the_file(net))
    for own, p in zip(net.populations, real.populations, strict=True):
        shape = _shape(p, real)
        kind, fields = ("Input", {"shape": np.array(shape)}) if p.neuron is None else _neuron(p, shape, real)
        exact = {name: getattr(own.neuron, name) for name in own.neuron.parameters()} if own.neuron else None
        made.where.populations[p.name] = made.add(made.names["populations"].get(p.name, p.name), kind, fields, exact)
    for own_connection, connection in zip(net.connections, real.connections, strict=True):
        made.where.connections[connection.name] = list(_connect(own_connection, connection, made))
    last = made.where.populations[real.output.name]
    output = made.add("output", "Output", {"shape": np.array(_shape(real.output, real))})
    made.edges.append([last, output])
    return made.nodes, made.edges, made.where


def _names_in_the_file(net: Network) -> dict[str, dict[str, str]]:
    """Return names that an import had to change, as they were."""
    stages = (s.settings.get("names") for s in reversed(net.done) if s.name == "import")
    given = next((names for names in stages if isinstance(names, dict)), {})
    return {kind: _texts(given.get(kind)) for kind in ("populations", "connections")}


def _texts(names: Any) -> dict[str, str]:
    """Return what can be names of nodes in a record, which may come from a stranger's file."""
    items = names.items() if isinstance(names, dict) else ()
    return {own: name for own, name in items if isinstance(name, str) and re.fullmatch(r"[\w.\-]{1,200}", name)}


def _shape(p: Population, real: Network) -> Shape:
    """Return the shape in NIR: planes only where an operator brings or wants them."""
    connections = real.into(p.name)
    spatial = (
        any(map(_is_spatial, connections)) if connections else any(map(_sees_planes, real.out_of(p.name))) or p.neuron is None
    )
    return p.shape if spatial else (p.size,)


def _neuron(p: Population, shape: Shape, real: Network) -> tuple[str, Tree]:
    """Return (kind, fields) of the node, so that a step of forward Euler computes the neuron."""
    neuron: Any = p.neuron
    dt = real.dt_s

    def full(value: Any) -> Floats:
        return np.broadcast_to(np.asarray(value, np.float64), p.size).reshape(shape)

    v, u = full(neuron.decay_v), full(getattr(neuron, "decay_u", 1.0))
    fires = {} if neuron.model() == "li" else {"v_threshold": full(neuron.threshold), "v_reset": full(0.0)}
    if not v.any():
        return ("IF" if fires else "I"), {"r": full(1 / dt), **fires}
    bias = full(0.0 if _carrier(p, real) else neuron.bias)
    if (u == 1).all() and fires:  # in voltages times v, so that r is 1, which Norse and sinabs take it for anyway
        return "LIF", {"tau": dt / v, "r": full(1), "v_leak": bias, **fires, "v_threshold": fires["v_threshold"] * v}
    leak = {"r": 1 / v, "v_leak": bias / v, **fires}
    if (u == 1).all():
        return "LI", {"tau": dt / v, **leak}
    return ("CubaLIF" if fires else "CubaLI"), {"tau_mem": dt / v, "tau_syn": dt / u, "w_in": 1 / u, **leak}


def _connect(own: Connection, c: Connection, made: _Graph) -> Iterator[str]:
    """Add the nodes of a connection; yield those with weights: one for each delay that its synapses have."""
    dst = made.real[c.dst]
    biased = dst if _carrier(dst, made.real) is c else None
    name, delays = made.names["connections"].get(c.name, c.name), own.op.synapses.delays
    if delays is None:
        yield _chain(name, c, c.delay_steps + (0 if c.axon_delays is None else c.axon_delays), _zeros(own), biased, made)
        return
    for steps in np.unique(delays).tolist():
        part, mine = (replace(connection, op=connection.op.keep(delays == steps)) for connection in (c, own))
        yield _chain(f"{name}_delay{steps}", part, c.delay_steps + steps, _zeros(mine), biased, made)
        biased = None  # one node carries the bias


def _chain(name: str, c: Connection, total: Any, exact: Tree | None, biased: Population | None, made: _Graph) -> str:
    """Add delay, flattening, pool and weights from one population to another; return the node with the weights."""
    src = made.real[c.src]
    shape, first = _shape(src, made.real), made.where.populations[c.src]
    weights = made.add(name, *_weights(c, biased), exact)
    way = []
    if np.any(total) and not (np.all(total == 1) and c.src == c.dst):  # a recurrence takes a step in NIR's tools anyway
        delay = np.broadcast_to(np.asarray(total) * made.real.dt_s, src.size).reshape(shape)
        way.append(made.add(f"{name}_delay", "Delay", {"delay": delay}))
    if c.op.pool is not None:
        way.append(made.add(f"{name}_pool", "SumPool2d", _pool(c.op.pool)))
        shape = (c.op.pool.src_shape[0], *c.op.pool.grid)
    if isinstance(c.op, Dense) and len(shape) > 1:
        way.append(made.add(f"{name}_flatten", "Flatten", {"input_type": np.array(shape), "start_dim": 0, "end_dim": -1}))
    way.append(weights)
    if made.nodes[weights]["type"] == "SumPool2d" and (factor := c.op.synapses.values[0]) != 1:
        way.append(made.add(f"{name}_scale", "Scale", {"scale": np.full(c.op.dst_shape, factor)}))
    way.append(made.where.populations[c.dst])
    made.edges.extend([src_node, dst_node] for src_node, dst_node in zip([first, *way], way, strict=False))
    return weights


def _weights(c: Connection, biased: Population | None) -> tuple[str, Tree]:
    """Return (kind, fields) of the node with the weights; ``biased``: the population whose bias it carries."""
    op = c.op
    if isinstance(op, SumPool2d):
        average = op.synapses.values[0] == 1 / op.window.taps
        return ("AvgPool2d" if average else "SumPool2d"), _pool(op.window)
    bias = np.zeros(op.dst_shape[0]) if biased is None else _bias(biased, op.dst_shape)
    if isinstance(op, Dense):
        return "Affine", {"weight": op.synapses.to_dense(), "bias": bias}  # sinabs has no Linear
    assert isinstance(op, Conv2d)  # noqa: S101 - for the type checker; there are no other kinds
    window = op.window
    pairs = {name: np.array(getattr(window, name)) for name in ("stride", "padding", "dilation")}
    return "Conv2d", {
        "input_shape": np.array(window.src_shape[1:]),
        "weight": op.kernel(),
        **pairs,
        "groups": op.groups,
        "bias": bias,
    }


def _bias(p: Population, shape: Shape) -> Floats:
    """Return the bias of each neuron, or of each channel."""
    neuron: Any = p.neuron
    return np.broadcast_to(np.asarray(neuron.bias, np.float64), p.size).reshape(shape[0], -1)[:, 0]


def _pool(window: Window) -> Tree:
    return {"kernel_size": np.array(window.kernel), "stride": np.array(window.stride), "padding": np.array(window.padding)}


def _zeros(own: Connection) -> Tree | None:
    """Return the places of synapses that exist with weight 0: NIR's matrices cannot tell them from pruned ones."""
    s = own.op.synapses
    places = s.rows[s.values == 0] * s.shape[1] + s.indices[s.values == 0]
    return {"zeros": places} if len(places) else None
