"""What no mapping can go below, whatever the strategy."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.chips.memory import field
from snnc.mapping.arrange import mesh_of
from snnc.mapping.task import Task
from snnc.network.model import Connection

MORE_CORES = 1.1  # than the lower bound, which the best mapping may use to save packets x hops


@dataclass(frozen=True)
class LowerBounds:
    """Of the cores used, and of one inference: the packets that arrive, packets x hops, operations of the busiest core."""

    cores: int
    packets: float
    packet_hops: float
    busiest_operations: float


def lower_bounds(task: Task) -> LowerBounds:
    """Return what no legal mapping of the task, of its neurons to any cores of the chip, can go below."""
    packets = hops = 0.0
    for c in task.net.connections:
        least = _cores_reached(task, c)
        packets += float((task.rates[c.src] * least).sum())
        if c.src in task.neurons:
            hops += float((task.rates[c.src] * _hops_to(least, task)).sum())
    each = _operations(task)
    return LowerBounds(cores_at_least(task), packets, hops, max(float(each.max()), float(each.sum()) / task.profile.cores))


def cores_at_least(task: Task) -> int:
    """Return the cores that every legal mapping takes, by the resource that is used most, if it fills them to the brim."""
    limits, needs = task.profile.limits, _needs(task)
    return max([1, *(ceil(needs[resource] / limit) for resource, limit in limits.items() if resource in needs)])


def most_cores(task: Task) -> int:
    """Return how many cores a mapping may take to save packets x hops: `MORE_CORES` times the lower bound."""
    return int(MORE_CORES * cores_at_least(task))


def _needs(task: Task) -> dict[str, float]:
    """Return what all cores together use of each resource at least."""
    connections = task.net.connections
    sources = {c.name: int(np.count_nonzero(c.op.fan_out())) for c in connections}
    synapses = sum(c.op.synapse_count for c in connections)
    needs: dict[str, float] = {
        "neurons_per_core": sum(task.net[name].size * task.compartments[name] for name in task.neurons),
        "input_axons_per_core": sum(sources.values()),
        "output_axons_per_core": sum(sources[c.name] for c in connections if c.src in task.neurons),
        "synapses_per_core": synapses,
        "weight_bytes_per_core": synapses * task.weight_bits / 8,
    }
    return needs | ({"synapse_words_per_core": _words(task)} if task.profile.storage else {})


def _words(task: Task) -> float:
    """Return the words of weights, delays and headers without indices or rounding: cut in any way they are no fewer."""
    storage = task.profile.storage
    assert storage is not None  # noqa: S101 - for the type checker
    weight, bits = field(task.weight_bits, storage.weight_field_bits) or 0, 0
    for c in task.net.connections:
        fan_out = c.op.fan_out()
        entries = int((-(-fan_out // storage.entry_synapses_max)).sum())
        each = weight + task.delays[c.name].bit_length()
        bits += entries * storage.entry_header_bits + int(fan_out.sum()) * each
    return bits / storage.word_bits


def _cores_reached(task: Task, c: Connection) -> NDArray[np.int64]:
    """Return how many cores each source reaches at least: its targets, as many on a core as one can hold."""
    fan_out = c.op.fan_out()
    held = task.profile.limits.get("neurons_per_core", max(1, c.op.n_dst))
    targets = np.minimum(fan_out, c.op.n_dst)
    return -(-targets // held)


def _hops_to(cores: NDArray[np.int64], task: Task) -> NDArray[np.float64]:
    """Return the hops to so many cores at least: those of the own tile cost none, and 4 d tiles are d away on the widest mesh."""
    most = int(cores.max(initial=0))
    distances = np.zeros(min(most, mesh_of(task.profile).cores_per_tile))
    d = 0
    while len(distances) < most:
        d += 1
        distances = np.concatenate([distances, np.full(4 * d * mesh_of(task.profile).cores_per_tile, float(d))])
    paid = np.concatenate([[0.0], np.cumsum(distances)])
    return paid[cores]


def _operations(task: Task) -> NDArray[np.float64]:
    """Return the synaptic operations of each neuron on a core, all populations one after the other."""
    operations = {name: np.zeros(task.net[name].size) for name in task.neurons}
    connections = task.unrolled.connections
    slices = [(i, *rows) for i, c in enumerate(connections) for rows in c.op.synapses.slices(most=units.SYNAPSES)]
    work = units.Work("slices of rows", _of_rows, task, lambda: (task.net.hash, dict(task.rates)))
    for (i, start, stop), made in zip(slices, units.mapped(work, slices, is_sent=task.is_sent), strict=True):
        operations[connections[i].dst][start:stop] += made["operations"]
    return np.concatenate(list(operations.values()))


def _of_rows(task: Task, unit: tuple[int, int, int]) -> dict[str, NDArray[np.float64]]:
    """Return the synaptic operations that some neurons get from a connection."""
    i, start, stop = unit
    c = task.unrolled.connections[i]
    columns, indptr = c.op.synapses.sources(start, stop), c.op.synapses.indptr[start : stop + 1]
    rows = np.repeat(np.arange(stop - start), np.diff(indptr))
    operations = np.bincount(rows, task.rates[c.src][columns], minlength=stop - start)
    return {"operations": operations.astype(np.float64)}
