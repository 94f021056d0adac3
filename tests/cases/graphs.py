"""Random float networks of any shape: every neuron model, loops, skips, sums, delays of connections, axons and synapses."""

from dataclasses import replace

import numpy as np

from cases.networks import of_layer
from snnc import neurons
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense


def neuron(rng, model, n):
    """A model with a value of its own for each neuron; decays are on the grid of 1/4096."""
    example = neurons.get(model).example()
    values = {}
    for name, f in example.parameters().items():
        value, unit = np.asarray(getattr(example, name), np.float64), f.metadata["unit"]
        spread = {"decay": rng.integers(256, 4096, n) / 4096, "bias": rng.normal(0, 0.05, n), "steps": rng.integers(1, 4, n)}
        spread["fraction"] = value * rng.uniform(0.95, 1.0, n)  # a turn that hardly decays, or nothing would resonate
        values[name] = spread.get(unit.name, value * rng.uniform(0.5, 1.0, n))
    return type(example)(**values)


def connection(rng, name, src, dst, *, shortest, kind=None):
    """A connection with random delays of a random ``kind``, at least ``shortest`` steps; 1: of axons, 2: of synapses."""
    mask = rng.random((dst.size, src.size)) < 0.5
    mask[:, 0] = True
    op = Dense(Synapses.from_dense(rng.normal(0.1, 1.2 / np.sqrt(src.size), mask.shape), mask))
    kind, steps = rng.integers(4) if kind is None else kind, int(shortest + rng.integers(3))
    if kind == 1:
        return Connection(name, src.name, dst.name, op, steps, rng.integers(0, 4, src.size).astype(np.int32))
    if kind == 2:
        late = rng.integers(0, 4, op.synapses.count).astype(np.int32)
        return Connection(name, src.name, dst.name, replace(op, synapses=replace(op.synapses, delays=late)), steps)
    return Connection(name, src.name, dst.name, op, steps)


def graph(seed, *, model="lif", readout="lif", hidden=3, steps=20, inputs=1):
    """Inputs, hidden populations joined at random (to themselves and back, too), one that nothing leads to, and an output."""
    rng = np.random.default_rng(seed)
    inner = of_layer(model, "hidden")
    populations = [Population(f"input{i}", (6 + i,), None, 4 * i) for i in range(inputs)]
    populations += [
        Population(f"hidden{i}", (int(n),), neuron(rng, inner, int(n))) for i, n in enumerate(rng.integers(5, 12, hidden))
    ]
    populations += [Population("alone", (3,), neuron(rng, inner, 3)), Population("output", (4,), neuron(rng, readout, 4))]
    made = []
    for i, dst in enumerate(populations):
        for j, src in enumerate(populations):
            always = i == j + 1 or (src.name, dst.name) == (f"hidden{hidden - 1}", "output")
            ends = dst.neuron and dst.name != "alone" and src.name != "output"
            if ends and (always or rng.random() < 0.4):
                made.append(connection(rng, f"c{j}_{i}", src, dst, shortest=int(j >= i)))
    return Network(f"graph{seed}", tuple(populations), tuple(made), 1e-3, encoding=Encoding("rate", steps, seed))
