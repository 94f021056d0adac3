"""Random graphs of populations: branches, skips, loops, recurrence and delays, and real Lava run on many of them at once."""

import subprocess
import sys
from dataclasses import dataclass, replace

import lava_networks
import numpy as np
from cases import LOIHI
from hypothesis import strategies as st

from snnc import targets
from snnc.ir import Connection, Network, Population
from snnc.ops.dense import Dense
from snnc.run import Run
from snnc.synapses import Synapses

MOST_INTO = 4  # connections into a population: `lava_networks.synapses` leaves each a quarter of the register u


@dataclass(frozen=True)
class Edge:
    """One connection: from and to the populations of these numbers, and how many steps its delay exceeds the least."""

    src: int
    dst: int
    more_delay: int
    wire: lava_networks.Wire
    one_to_one: bool

    @property
    def delay_steps(self):
        """Backwards, enough for every loop: forward connections need a step a hop and no path has more hops than numbers."""
        return self.more_delay + max(0, self.src - self.dst + 1)


@dataclass(frozen=True)
class Graph:
    """Populations (the first ``inputs`` are inputs) of the sizes, and connections."""

    seed: int
    inputs: int
    sizes: tuple
    message_bits: int
    edges: tuple
    samples: int
    steps: int


@st.composite
def graphs(draw):
    """Up to 6 populations; every neuron can be reached from an input, everything else is free."""
    inputs, total = draw(st.integers(1, 2)), draw(st.integers(3, 6))
    sizes = tuple(draw(st.integers(2, 9)) for _ in range(total))
    wires = st.builds(lava_networks.Wire, st.sampled_from(["mixed", "excitatory", "inhibitory"]), st.integers(-4, 5))
    more = st.sampled_from([0, 0, 0, 1, 2, 7, 40])
    found = []
    for dst in range(inputs, total):
        reached = draw(st.integers(0, dst - 1))
        others = draw(st.lists(st.integers(0, total - 1), max_size=MOST_INTO - 1))
        for src in (reached, *others):
            found.append(Edge(src, dst, draw(more), draw(wires), draw(st.booleans()) and sizes[src] == sizes[dst]))
    return Graph(
        draw(st.integers(0, 2**32 - 1)), inputs, sizes, draw(st.integers(0, 6)), tuple(found),
        draw(st.integers(2, 4)), draw(st.integers(1, 16)),
    )  # fmt: skip


def network(graph):
    """The network of a graph; its neurons are easily excited."""
    rng = np.random.default_rng(graph.seed)
    names = [f"p{i}" for i in range(len(graph.sizes))]
    bits = [graph.message_bits if i == 0 else 0 for i in range(graph.inputs)]
    populations = [Population(names[i], (graph.sizes[i],), None, bits[i]) for i in range(graph.inputs)]
    for name, n in zip(names[graph.inputs :], graph.sizes[graph.inputs :], strict=True):
        neuron = lava_networks.neuron(rng, n, one_each=bool(rng.integers(2)))
        populations.append(Population(name, (n,), replace(neuron, threshold=neuron.threshold >> 6)))
    connections = [connection(rng, f"c{i}", e, populations) for i, e in enumerate(graph.edges)]
    return Network(f"graph{graph.seed}", tuple(populations), tuple(connections), 1e-3, LOIHI)


def connection(rng, name, edge, populations):
    src, dst = populations[edge.src], populations[edge.dst]
    message = 2 ** max(src.message_bits, 1) - 1
    op = lava_networks.synapses(rng, dst.size, src.size, edge.wire, LOIHI, message)
    if edge.one_to_one:
        weight = np.where(np.eye(dst.size, dtype=bool), np.resize(op.synapses.values[op.synapses.values != 0], dst.size), 0)
        op = Dense(Synapses.from_dense(weight), op.exponent, op.sign_mode)
    return Connection(name, src.name, dst.name, op, edge.delay_steps)


RUN_ALL = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, sys.argv[1] + "/artifact")
import run
run.show_failures()
for folder in map(Path, sys.argv[1:]):
    with np.load(folder / "in.npz") as file:
        inputs = dict(file)
    np.savez(folder / "out.npz", **run.run_network(folder / "artifact", inputs))
"""


def run_all(cases, folder, timeout_s=300):
    """What Lava says about each (network, inputs), in one process for all, since starting Lava takes longest."""
    places = []
    for number, (net, inputs) in enumerate(cases):
        places.append(folder / str(number))
        places[-1].mkdir()
        targets.export("lava", net, None, places[-1] / "artifact")
        np.savez(places[-1] / "in.npz", **inputs)
    (folder / "all.py").write_text(RUN_ALL)
    done = subprocess.run([sys.executable, folder / "all.py", *places], capture_output=True, text=True, timeout=timeout_s)
    assert done.returncode == 0, done.stderr[-3000:]
    return [result(net, place) for (net, _), place in zip(cases, places, strict=True)]


def result(net, place):
    with np.load(place / "out.npz", allow_pickle=False) as file:
        spikes = {p.name: file[p.name] for p in net.ordered}
        states = {p.name: {v: file[f"{p.name}.{v}"] for v in "uv"} for p in net.ordered if p.neuron}
        return Run(str(file["_by"]), net.dt_s, spikes, states, {})
