"""Networks that use exactly so much of one resource of a chip. For the tests at a profile's limits."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from cases.memory import words_by_format
from snnc import neurons
from snnc.chips.memory import Axons
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense


def full(n_dst, n_src, further=0):
    """Every synapse from ``n_src`` sources, and from one more source ``further`` of them."""
    rows = np.concatenate([np.tile(np.arange(n_dst), n_src), np.arange(further)])
    columns = np.concatenate([np.repeat(np.arange(n_src), n_dst), np.full(further, n_src)])
    order = np.lexsort((columns, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n_dst))])
    shape = (n_dst, n_src + (further > 0))
    return Dense(Synapses(shape, indptr.astype(np.int64), columns[order].astype(np.int32), np.ones(len(rows))))


def joined(*wires):
    """A float network of (source, destination, operator); what no wire ends in is an input."""
    sizes = {}
    for src, dst, op in wires:
        sizes |= {src: op.n_src, dst: op.n_dst}
    driven = {dst for _, dst, _ in wires}
    populations = tuple(
        Population(name, (n,), neurons.get("lif").example() if name in driven else None) for name, n in sizes.items()
    )
    connections = tuple(Connection(f"fc{i}", *connection) for i, connection in enumerate(wires))
    return Network("edge", populations, connections, 1e-3, encoding=Encoding("rate", 4, 0))


def _synapses(n):
    """n synapses into the population "core"."""
    n_dst = min(n, 256)
    return joined(("input", "core", full(n_dst, n // n_dst, n % n_dst)))


def _words(n, profile):
    n_dst = 256
    each = min(words_by_format(profile.storage, Axons.alone([n_dst]), n_dst, profile.weight_bits).values()).total
    wires = [("input", "core", full(n_dst, n // each))]
    rest = Synapses.from_dense(np.eye(n_dst, n % each)) if n % each else None
    return joined(*wires, *([("more", "core", Dense(rest))] if rest else []))


def only_sparse(storage):
    """Without the formats in which an axon of Loihi 1 cannot be too long."""
    return replace(storage, formats=("sparse",))


def _words_of_an_axon(n, profile):
    """One source with as many synapses as take n words."""
    rule = only_sparse(profile.storage)
    takes = (words_by_format(rule, Axons.alone([k]), k, profile.weight_bits)["sparse"].longest for k in range(1, 1025))
    return joined(("input", "core", full(1 + list(takes).index(n), 1)))


def _output_axons(n):
    """The neurons of "core" have n output axons, one for each destination population in which they have a synapse."""
    n_core = min(n, 64)
    targets = [n_core] * (n // n_core) + ([n % n_core] if n % n_core else [])
    wires = [(f"core{i}", full(1, count)) for i, count in enumerate(targets)]
    wide = [(name, Dense(_widened(op.synapses, n_core))) for name, op in wires]
    return joined(("input", "core", full(n_core, 1)), *(("core", name, op) for name, op in wide))


def _widened(s, n_src):
    return Synapses((s.shape[0], n_src), s.indptr, s.indices, s.values)


def _different(n, parameter):
    """n neurons that differ in a parameter."""
    net = joined(("input", "core", full(n, 1)))
    core = replace(net["core"], neuron=replace(net["core"].neuron, **{parameter: np.linspace(0.1, 0.9, n)}))
    return replace(net, populations=(net.populations[0], core))


def _hidden_synapses(n):
    """n synapses from one hidden neuron to others."""
    return joined(("input", "first", full(1, 1)), ("first", "core", full(n, 1)), ("core", "output", full(1, n)))


def _reaching(n, reached, read):
    """n hidden neurons in two populations; inputs reach only some, and some only reach the readout."""
    into, out = np.zeros((n, 1)), np.zeros((1, n))
    into[reached], out[:, read] = 1, 1
    wires = [(src, dst, Dense(Synapses.from_dense(w))) for src, dst, w in (
        ("input", "first", into[: n // 2]), ("input", "core", into[n // 2 :]), ("first", "core", np.eye(n - n // 2, n // 2)),
        ("first", "output", out[:, : n // 2]), ("core", "output", out[:, n // 2 :]),
    )]  # fmt: skip
    return joined(*(wire for wire in wires if wire[2].synapses.count))


USING: dict[str, Callable] = {
    "neurons_per_core": lambda n, profile: joined(("input", "core", full(n, 1))),
    "input_axons_per_core": lambda n, profile: joined(("input", "core", full(1, n))),
    "output_axons_per_core": lambda n, profile: _output_axons(n),
    "synapse_words_per_core": _words,
    "synapse_words_per_axon": _words_of_an_axon,
    "synapses_per_core": lambda n, profile: _synapses(n),
    "weight_bytes_per_core": lambda n, profile: _synapses(n * 8 // profile.weight_bits),
    "neuron_configurations_per_core": lambda n, profile: _different(n, "decay_v"),
    "threshold_configurations_per_core": lambda n, profile: _different(n, "threshold"),
    "synapse_configurations_per_core": lambda n, profile: joined(*((f"input{i}", "core", full(2, 1)) for i in range(n))),
    "neurons_per_chip": lambda n, profile: joined(("input", "core", full(n, 1))),
    "synapses_per_chip": lambda n, profile: _synapses(n),
    "inputs_per_chip": lambda n, profile: joined(("input", "core", full(1, n))),
    "outputs_per_chip": lambda n, profile: joined(("input", "core", full(n, 1))),
    "fan_in_per_neuron": lambda n, profile: joined(("input", "core", full(1, n))),
    "hidden_neurons_per_chip": lambda n, profile: joined(("input", "core", full(n, 1)), ("core", "output", full(1, n))),
    "hidden_synapses_per_chip": lambda n, profile: _hidden_synapses(n),
    "hidden_fan_out_per_neuron": lambda n, profile: _hidden_synapses(n),
    "neurons_within_input_reach_per_chip": lambda n, profile: _reaching(n + 5, [0, n - 1], [0, n]),
    "neurons_within_readout_reach_per_chip": lambda n, profile: _reaching(n + 3, [0, n], [3, n]),
    "fan_out_per_neuron": lambda n, profile: joined(("input", "core", full(1, 1)), ("core", "output", full(n, 1))),
}
