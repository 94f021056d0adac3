"""Random graphs of populations: every operator, branches, skips, loops, recurrence and delays; real Lava run on many at once."""

import sys
from collections import Counter
from dataclasses import dataclass, replace
from math import prod
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from snnc.exporters.lava import LAVA

from cases import lava_networks
from cases.networks import LOIHI
from snnc import targets
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.neurons.li import LI
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d
from snnc.simulation.run import Run
from snnc.targets.runner import call

MOST_INTO = 4  # connections into a population: `lava_networks.synapses` leaves each a quarter of the register u


@dataclass(frozen=True)
class Edge:
    """One connection: from and to the populations of these numbers, and what it does."""

    src: int
    dst: int
    kind: str  # dense, one_to_one, conv2d, sumpool2d
    wire: lava_networks.Wire
    more_delay: int  # steps by which its delay exceeds the least
    delays: str  # none, axons, synapses
    window: Window | None = None
    groups: int = 1
    pool: Window | None = None

    @property
    def delay_steps(self):
        """Backwards, enough for every loop: no connection has more than `_hops` processes, and no path visits a number twice."""
        return self.more_delay + (3 * (self.src - self.dst + 1) if self.src >= self.dst else 0)


@dataclass(frozen=True)
class Graph:
    """Populations (the first ``inputs`` are inputs) of the shapes, and connections."""

    seed: int
    inputs: int
    shapes: tuple
    message_bits: int
    edges: tuple
    samples: int
    steps: int


@st.composite
def windows(draw, shape):
    """Any window that has a place on planes of a shape."""
    sides = []
    for side in shape[1:]:
        kernel, stride, padding = draw(st.integers(1, min(3, side))), draw(st.integers(1, 2)), draw(st.integers(0, 2))
        dilation = draw(st.integers(1, 2)) if 2 * (kernel - 1) < side else 1
        sides.append((kernel, stride, min(padding, kernel), dilation))
    return Window(shape, *zip(*sides, strict=True))


@st.composite
def pools(draw, shape):
    """Windows that do not overlap; some leave neurons out."""
    kernel = [draw(st.integers(1, min(2, side))) for side in shape[1:]]
    return Window(shape, tuple(kernel), tuple(k + draw(st.sampled_from([0, 0, 1])) for k in kernel))


@st.composite
def edges(draw, src, dst, shapes, primary):
    """A connection between two populations; ``primary``: the one that gives its destination a shape, into ``shapes``."""
    wire = draw(st.builds(lava_networks.Wire, st.sampled_from(["mixed", "excitatory", "inhibitory"]), st.integers(-4, 5)))
    late = draw(st.sampled_from([0, 0, 0, 1, 2, 7, 30])), draw(st.sampled_from(["none", "none", "none", "axons", "synapses"]))
    shape = shapes[src]
    pool = draw(pools(shape)) if draw(st.booleans()) else None
    seen = (shape[0], *pool.grid) if pool else shape
    if primary and draw(st.booleans()):
        kind, window = draw(st.sampled_from(["conv2d", "conv2d", "sumpool2d"])), draw(windows(seen))
        groups = draw(st.sampled_from([1, shape[0]])) if kind == "conv2d" else 1
        channels = groups * draw(st.integers(1, 2)) if kind == "conv2d" else shape[0]
        shapes[dst] = (channels, *window.grid)
        return Edge(src, dst, kind, wire, *late, window, groups, pool)
    if primary:
        shapes[dst] = draw(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(2, 4)))
    if shape == shapes[dst] and draw(st.integers(0, 2)):
        same = Window(shape, (3, 3), (1, 1), (1, 1), (1, 1))
        return Edge(src, dst, draw(st.sampled_from(["one_to_one", "conv2d"])), wire, *late, same)
    return Edge(src, dst, "dense", wire, *late, pool=pool)


@st.composite
def graphs(draw):
    """Up to 6 populations; every neuron can be reached from an input, everything else is free."""
    inputs, total = draw(st.integers(1, 2)), draw(st.integers(3, 6))
    shapes = [draw(st.tuples(st.integers(1, 3), st.integers(2, 5), st.integers(2, 4))) for _ in range(inputs)]
    shapes += [None] * (total - inputs)
    found = []
    for dst in range(inputs, total):
        found.append(draw(edges(draw(st.integers(0, dst - 1)), dst, shapes, True)))
    for dst in range(inputs, total):
        for src in draw(st.lists(st.sampled_from([*range(total), dst, dst]), max_size=MOST_INTO - 1)):
            found.append(draw(edges(src, dst, shapes, False)))
    return Graph(
        draw(st.integers(0, 2**32 - 1)), inputs, tuple(shapes), draw(st.integers(0, 6)), tuple(found),
        draw(st.integers(2, 3)), draw(st.integers(1, 14)),
    )  # fmt: skip


def network(graph):
    """The network of a graph; its neurons are easily excited."""
    rng = np.random.default_rng(graph.seed)
    bits = [graph.message_bits if i == 0 else 0 for i in range(graph.inputs)]
    populations = [Population(f"p{i}", graph.shapes[i], None, bits[i]) for i in range(graph.inputs)]
    for number in range(graph.inputs, len(graph.shapes)):
        shape = graph.shapes[number]
        populations.append(Population(f"p{number}", shape, neuron(rng, prod(shape), number, graph)))
    connections = [connection(rng, f"c{i}", e, populations) for i, e in enumerate(graph.edges)]
    return Network(f"graph{graph.seed}", tuple(populations), tuple(connections), 1e-3, LOIHI)


def neuron(rng, n, number, graph):
    """Easily excited neurons, or, where nothing listens to them, now and then a readout."""
    drawn = lava_networks.neuron(rng, n, one_each=bool(rng.integers(2)))
    if any(e.src == number for e in graph.edges) or rng.integers(3):
        return replace(drawn, threshold=drawn.threshold >> 6)
    return LI(getattr(drawn, "decay_u", 4096), drawn.decay_v, drawn.bias)


def connection(rng, name, edge, populations):
    src, dst = populations[edge.src], populations[edge.dst]
    op = operator(rng, edge, src, dst)
    late = None
    if edge.delays == "synapses" and edge.kind != "sumpool2d":
        late = rng.integers(0, 4, op.synapses.count).astype(np.int32)
        op = replace(op, synapses=replace(op.synapses, delays=late))
    axons = rng.integers(0, 4, src.size).astype(np.int32) if edge.delays == "axons" else None
    return Connection(name, src.name, dst.name, op, edge.delay_steps, axons)


def operator(rng, edge, src, dst):
    """The operator of an edge, whose neurons can get a quarter of a turn of u in a step."""
    message = (2 ** max(src.message_bits, 1) - 1) * (edge.pool.taps if edge.pool else 1)
    if edge.kind == "sumpool2d":
        sign = -1 if edge.wire.sign_mode == "inhibitory" else 1
        made = SumPool2d.of_weight(sign * int(rng.integers(1, 25)) * 10, edge.window)
        exponent = min(edge.wire.exponent, 4 - message.bit_length())
        return replace(made, exponent=exponent, sign_mode=edge.wire.sign_mode, pool=edge.pool)
    if edge.kind == "conv2d":
        shape = (dst.shape[0], edge.window.src_shape[0] // edge.groups * edge.window.taps)
        made = lava_networks.synapses(rng, *shape, edge.wire, LOIHI, message)
        return Conv2d(made.synapses, made.exponent, made.sign_mode, window=edge.window, groups=edge.groups, pool=edge.pool)
    inputs = prod((src.shape[0], *edge.pool.grid)) if edge.pool else src.size
    op = lava_networks.synapses(rng, dst.size, inputs, edge.wire, LOIHI, message)
    if edge.kind == "one_to_one":
        weight = np.where(np.eye(dst.size, dtype=bool), np.resize(op.synapses.values[op.synapses.values != 0], dst.size), 0)
        return Dense(Synapses.from_dense(weight), op.exponent, op.sign_mode)
    return replace(op, pool=edge.pool)


def generated(count):
    """As many graphs as asked for, always the same: without the constants of whichever modules are loaded, which Hypothesis
    mixes in.
    """
    found, none = [], providers.Constants()

    @settings(
        max_examples=count, derandomize=True, deadline=None, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(graphs())
    def collect(graph):
        found.append(graph)

    with patch.object(providers, "_get_local_constants", lambda: none):
        collect()
    return found


def traits(graph, run):
    """What happened in a run, so that a test can say that it happened often enough."""
    seen = Counter(readouts=len(run.readouts), active=all(run.spikes[n].any() or n in run.readouts for n in run.spikes))
    for e in graph.edges:
        if not run.spikes[f"p{e.src}"].any():
            continue
        seen[e.kind] += 1
        seen["pooled"] += bool(e.pool)
        seen[e.delays] += 1
        seen["groups"] += e.groups > 1
        if e.kind in ("conv2d", "sumpool2d"):
            seen["stride"] += max(e.window.stride) > 1
            seen["padding"] += max(e.window.padding) > 0
            seen["dilation"] += max(e.window.dilation) > 1
            seen["oblong"] += e.window.src_shape[1] != e.window.src_shape[2] and e.window.kernel[0] != e.window.kernel[1]
        seen["shifted_down"] += e.wire.exponent < 0
        seen["delayed"] += 0 < e.delay_steps < graph.steps
        seen["recurrent"] += e.src == e.dst
        seen["back"] += e.src > e.dst
        seen["skip"] += e.dst > e.src + 1
        seen["across_samples"] += e.delay_steps > 0
    return seen


RUN_ALL = """
import json
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1] + "/artifact")
import run
run.show_failures()
for folder in map(Path, sys.argv[1:]):
    artifact = folder / "artifact"
    network = json.loads((artifact / "network.json").read_text())
    with np.load(folder / "in.npz") as file:
        inputs = dict(file)
    np.savez(folder / "out.npz", **run.run_network(artifact, network, inputs))
"""


def run_all(cases, folder):
    """What Lava says about each (network, inputs), in one process for all, since starting Lava takes longest."""
    places = []
    for number, (net, inputs) in enumerate(cases):
        places.append(folder / str(number))
        places[-1].mkdir()
        targets.export("lava", net, None, places[-1] / "artifact")
        np.savez(places[-1] / "in.npz", **inputs)
    (folder / "all.py").write_text(RUN_ALL)
    call([sys.executable, str(folder / "all.py"), *map(str, places)], folder, 60 + 15 * len(cases), LAVA)
    return [result(net, place) for (net, _), place in zip(cases, places, strict=True)]


def result(net, place):
    with np.load(place / "out.npz", allow_pickle=False) as file:
        spikes = {p.name: file[p.name] for p in net.ordered}
        states = {p.name: {v: file[f"{p.name}.{v}"] for v in p.neuron.variables()} for p in net.ordered if p.neuron}
        return Run(str(file["_by"]), net.dt_s, spikes, states, {})
