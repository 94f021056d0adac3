"""Strategy `hypergraph`: the neurons partitioned so that fewest packets leave their core, with Mt-KaHyPar.

A vertex is a neuron, or a few neighbours of one place in a feature map. A source with its targets is a hyperedge that weighs
what it fires, so that the cost which the partitioner lowers (connectivity - 1) is the number of packets between cores. Needs
the package mtkahypar; its deterministic preset gives equal results for any number of threads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.census import census
from snnc.mapping.cutting.poured import packed
from snnc.mapping.cutting.spatial import renumbered, restored
from snnc.mapping.partitioner import library, parts, whole
from snnc.mapping.repair import repaired
from snnc.mapping.task import Assignment, Task, cores_in
from snnc.network.model import Connection, Population

SUMMARY = "fewest packets between cores, by hypergraph partitioning (needs mtkahypar)"
MOST_SYNAPSES = 10_000_000  # of which it is tried unless it is named
PINS = 100_000  # of the hypergraph; of a larger one a sample of the hyperedges is kept
VERTICES_PER_CORE = 16  # at least, so that cores fill evenly
MAX_VERTICES = 20_000  # of a population without feature maps
MORE_CORES = 1.1  # than the patches it starts from, for fewer packets
SLACK = 1.03  # room above the cores that are needed if all fill evenly
UNITS = 10_000  # of a core's room, as vertex weights are whole numbers

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Hypergraph:
    """Vertices by number, hyperedges as sorted lists of them."""

    room: Ints  # (vertices,) of a core, in `UNITS`
    edges: list[list[int]]
    packets: list[int]  # (edges,)


def cut(task: Task) -> Assignment:
    """Partition, then cut the cores that are over a limit; `patches` where that is no better.

    Raises MissingDependencyError without mtkahypar.
    """
    library()  # before anything is cut
    spatial, orders = renumbered(task)
    first = packed(spatial)
    vertex_of, count = _vertices(task, spatial)
    graph = _hypergraph(spatial, vertex_of, _rooms(spatial, first, vertex_of, count))
    cores = ceil(SLACK * graph.room.sum() / UNITS)
    if cores < 2 or cores_in(first) < 2:
        return restored(first, orders)
    block = parts(graph.edges, graph.packets, graph.room, cores, UNITS, task.seed)
    refined, _ = repaired(spatial, {name: block[vertices] for name, vertices in vertex_of.items()})
    return restored(refined if _is_better(spatial, refined, first) else first, orders)


def _is_better(task: Task, refined: Assignment, first: Assignment) -> bool:
    """Tell whether an assignment has fewer packets between cores, and at most 10 % more cores."""
    a, b = census(task, refined), census(task, first)
    return a.links[2].sum() < b.links[2].sum() and a.cores <= MORE_CORES * b.cores


def _vertices(task: Task, spatial: Task) -> tuple[dict[str, Ints], int]:
    """Return the vertex of each renumbered neuron on a core, and how many there are."""
    vertex_of: dict[str, Ints] = {}
    count = 0
    limit = task.profile.limits.get("neurons_per_core", spatial.net[task.neurons[0]].size)
    for name in task.neurons:
        vertex_of[name] = count + np.arange(task.net[name].size) // _together(task.net[name], limit)
        count = int(vertex_of[name][-1]) + 1
    return vertex_of, count


def _together(p: Population, limit: int) -> int:
    """Return how many neighbours are one vertex: the channels of one place, or an even part of them."""
    if len(p.shape) < 2:
        return ceil(p.size / MAX_VERTICES)
    return ceil(p.shape[0] / ceil(p.shape[0] / max(1, limit // VERTICES_PER_CORE)))


def _rooms(task: Task, first: Assignment, vertex_of: Mapping[str, Ints], count: int) -> Ints:
    """Return what each vertex takes of a core: the share of its core in the first assignment that binds there, by neurons."""
    used, limits = census(task, first).used, task.profile.amounts
    shares = [used[resource] / limit for resource, limit in limits.items() if resource in used]
    share = np.max(shares, axis=0) if shares else np.ones(cores_in(first))
    each = share / np.bincount(np.concatenate(list(first.values())))
    room = sum(np.bincount(vertex_of[name], each[cores], minlength=count) for name, cores in first.items())
    return np.asarray(np.maximum(1, np.ceil(UNITS * np.asarray(room))), np.int64)


def _hypergraph(task: Task, vertex_of: Mapping[str, Ints], room: Ints) -> _Hypergraph:
    edges: list[Ints] = []
    packets: list[float] = []
    for c in task.net.connections:
        pins, fired = _hyperedges(task, c, vertex_of)
        edges += pins
        packets += fired
    kept = _sample([len(pins) for pins in edges], task.seed)
    weights = whole(packets)
    return _Hypergraph(room, [edges[i].tolist() for i in kept], [weights[i] for i in kept])


def _hyperedges(task: Task, c: Connection, vertex_of: Mapping[str, Ints]) -> tuple[list[Ints], list[float]]:
    """Return, for each source vertex (input neuron), its pins, and how often its neurons that have a synapse fire."""
    rows, columns = task.patterns[c.name]
    on_chip = c.src in vertex_of
    source = vertex_of[c.src] if on_chip else np.arange(c.op.n_src)
    ends = np.concatenate([vertex_of[c.dst][rows], np.unique(source[columns])]) if on_chip else vertex_of[c.dst][rows]
    starts = np.concatenate([source[columns], np.unique(source[columns])]) if on_chip else source[columns]
    most = 1 + max(int(v[-1]) for v in vertex_of.values())
    pairs = np.unique(starts * most + ends)
    first, pins = pairs // most, pairs % most
    cuts = np.flatnonzero(np.diff(first)) + 1
    firing = np.bincount(source, task.rates[c.src] * (c.op.fan_out() > 0), minlength=int(source[-1]) + 1)
    groups = np.split(pins, cuts)
    weights = firing[first[np.concatenate([[0], cuts])]]
    return groups, weights.tolist()


def _sample(sizes: list[int], seed: int) -> Ints:
    """Return which hyperedges of at least two pins are kept, so that there are about `PINS` pins."""
    several = np.flatnonzero(np.array(sizes) > 1)
    drawn = np.random.default_rng(seed).permutation(several)
    enough = np.cumsum(np.array(sizes)[drawn]) <= PINS
    return np.sort(drawn[enough]) if enough.any() else several[:1]
