"""Random networks over the whole range of what Lava's fixed-point processes take, for the tests that run real Lava."""

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from cases.networks import LOIHI
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.neurons.cuba import Cuba
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense

TURN = 1 << 18  # the most that a step may add to u, in weight units


@dataclass(frozen=True)
class Wire:
    """What distinguishes one connection from another."""

    sign_mode: str = "mixed"
    exponent: int = 0


def neuron(rng, n, one_each):
    """Parameters from the whole legal range, its ends included; ``one_each``: another value for every neuron."""
    size = n if one_each else ()
    threshold = (2 ** rng.uniform(0, 17, size)).astype(np.int64) - 1
    decay_v = rng.choice([0, 1, 4095, *rng.integers(0, 4096, 4)], size)
    bias = rng.choice([0, 0, -4096, 4095, *rng.integers(-4096, 4096, 4)], size) << rng.integers(0, 8, size)
    if rng.random() < 0.3:
        return LIF(threshold, decay_v, bias)
    return Cuba(threshold, rng.choice([1, 2, 4096, *rng.integers(1, 4097, 4)], size), decay_v, bias)


def synapses(rng, n_dst, n_src, connection, numeric, message):
    """Random weights, many at the ends of the grid, thinned out until a step adds less than one turn of u; one may be 0."""
    grid = np.array(weight_grid(numeric, connection.sign_mode))
    smallest = grid[grid != 0][np.abs(grid[grid != 0]).argmin()]
    exponent = connection.exponent
    while abs(smallest) * message << max(exponent, 0) > TURN // 4:
        exponent -= 1
    weight = rng.choice(np.concatenate([grid, np.repeat(grid[[0, -1]], len(grid) // 4)]), (n_dst, n_src))
    weight[rng.random((n_dst, n_src)) < 0.3] = 0
    weight[np.abs(weight).cumsum(axis=1) > (TURN // 4 // message >> max(exponent, 0))] = 0
    if not weight.any():
        weight[0, 0] = smallest
    kept = weight != 0
    kept[0, -1] = True
    return Dense(Synapses.from_dense(weight, kept), exponent, connection.sign_mode)


def network(seed, wires, *, message_bits=8, weight_bits=8):
    """Two inputs, one of spikes and one of messages; two hidden populations fed by both; an output fed by the hidden ones.

    ``wires``: one for each of the six connections.
    """
    rng = np.random.default_rng(seed)
    numeric = replace(LOIHI, weight_bits=weight_bits)
    populations = (
        Population("spikes", (7,), None),
        Population("messages", (5,), None, message_bits),
        Population("many", (24,), neuron(rng, 24, one_each=True)),
        Population("alike", (9,), neuron(rng, 9, one_each=False)),
        Population("output", (24,), neuron(rng, 24, one_each=True)),
    )
    ends = [
        ("spikes", "many"),
        ("messages", "many"),
        ("spikes", "alike"),
        ("messages", "alike"),
        ("many", "output"),
        ("alike", "output"),
    ]
    size = {p.name: p.size for p in populations}
    connections = tuple(
        Connection(
            f"{src}_{dst}", src, dst,
            synapses(rng, size[dst], size[src], connection, numeric, 2**message_bits - 1 if src == "messages" else 1),
        )
        for (src, dst), connection in zip(ends, wires, strict=True)
    )  # fmt: skip
    return Network(f"random{seed}", populations, connections, 1e-3, numeric)


def edges():
    """Sums at, just above and just below the two ends of u, where wrapping is easily wrong by one: 2**17 is 1024 << 7."""
    sums = np.array([-1026, -1024, -1022, 1022, 1024, 1026])
    weight = np.sign(sums)[:, None] * np.clip(np.abs(sums)[:, None] - 200 * np.arange(6), 0, 200)
    signs = Dense(Synapses.from_dense(weight), 7, "mixed")
    relay = Dense(Synapses.from_dense(np.eye(6, dtype=np.int64) * 200), 0, "mixed")
    populations = (
        Population("spikes", (6,), None),
        Population("forgetful", (6,), LIF(0, 0, 0)),
        Population("lasting", (6,), Cuba(0, 1, 0, 0)),
        Population("output", (6,), LIF(1, 4095, 0)),
    )
    connections = (
        Connection("a", "spikes", "forgetful", signs),
        Connection("b", "spikes", "lasting", signs),
        Connection("c", "forgetful", "output", relay),
        Connection("d", "lasting", "output", relay),
    )
    return Network("edges", populations, connections, 1e-3, LOIHI)


def rasters(net, seed, samples, steps):
    """Busy and calm samples, so that states both overflow and decay."""
    rng = np.random.default_rng(seed + 1)
    found = {}
    for p in net.inputs:
        busy = rng.random((samples, steps, p.size)) < rng.choice([0.1, 0.5, 1.0], (samples, 1, 1))
        found[p.name] = np.where(busy, rng.integers(0, 2 ** max(p.message_bits, 1), busy.shape), 0)
    return found


@contextmanager
def counted():
    """Counts how often the reference wraps u and saturates v."""
    seen = Counter()
    originals = {"wrap": Fixed.wrap, "saturate": Fixed.saturate}

    def counting(name):
        def limit(self, x):
            limited = originals[name](self, x)
            seen[name] += int(np.count_nonzero(limited != x))
            return limited

        return limit

    try:
        for name in originals:
            setattr(Fixed, name, counting(name))
        yield seen
    finally:
        for name, original in originals.items():
            setattr(Fixed, name, original)
