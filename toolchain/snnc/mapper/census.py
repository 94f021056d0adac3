"""What an assignment of neurons to cores uses and sends: the one measurement of all strategies. Part of mapper."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.configurations import SYNAPSES, distinct
from snnc.ir import Connection
from snnc.mapper.task import Assignment, Task, cores_in
from snnc.storage import INEXPRESSIBLE, Format, words_by_core


@dataclass(frozen=True, eq=False)
class Census:
    """An assignment, measured. Packets and operations are those of one inference, by the task's rates."""

    used: Mapping[str, NDArray[np.int64]]  # resource (a key of Profile.limits) -> (cores,)
    formats: Mapping[str, tuple[Format | None, ...]]  # connection -> how each core stores its synapses, None: it has none
    links: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]  # from core, to another core, packets
    local_packets: float  # that stay on their core
    input_packets: float  # from off chip
    operations: NDArray[np.float64]  # (cores,) synaptic operations

    @property
    def cores(self) -> int:
        return len(self.operations)

    @property
    def packets(self) -> float:
        """All that arrive at cores: one for each spike and core (and connection) that it goes to."""
        return float(self.links[2].sum()) + self.local_packets + self.input_packets


@dataclass(frozen=True, eq=False)
class _Axons:
    """The input axons of one connection, sorted by core and source."""

    core: NDArray[np.int64]
    source: NDArray[np.int64]
    synapses: NDArray[np.int64]


def census(task: Task, core_of: Assignment, *, full_cores: bool = False) -> Census:
    """Measure an assignment, in O(synapses log synapses). ``full_cores``: with indices as wide as on a core without room."""
    n = cores_in(core_of)
    held = {name: np.bincount(cores, minlength=n) for name, cores in core_of.items()}
    neurons = np.sum(list(held.values()), axis=0)
    axons = {c.name: _axons(task, c, core_of[c.dst], n) for c in task.net.connections}
    most = task.profile.limits.get("neurons_per_core", sum(len(cores) for cores in core_of.values()))
    words, formats = _words(task, axons, core_of, np.full(n, most) if full_cores else neurons)
    synapses = _sum(n, [(a.core, a.synapses) for a in axons.values()])
    outgoing = [(core_of[c.src][axons[c.name].source], 1) for c in task.net.connections if c.src in core_of]
    used = {
        "neurons_per_core": np.sum([task.compartments[name] * count for name, count in held.items()], axis=0),
        "input_axons_per_core": _sum(n, [(a.core, 1) for a in axons.values()]),
        "output_axons_per_core": _sum(n, outgoing),
        **({"synapse_words_per_core": words} if task.profile.storage else {}),
    }
    counted = {"synapses_per_core": synapses, "weight_bytes_per_core": -(-synapses * task.weight_bits // 8)}
    counted |= _configurations(task, axons, core_of, formats, n)
    used |= {resource: amount for resource, amount in counted.items() if resource in task.profile.limits}
    return Census(used, formats, *_traffic(task, axons, core_of, n), _operations(task, axons, n))


def _axons(task: Task, c: Connection, core_of: NDArray[np.int64], n_cores: int) -> _Axons:
    rows, columns = task.patterns[c.name]
    key = core_of[rows] * c.op.n_src + columns
    if n_cores * c.op.n_src <= 4 * len(key) + 1024:  # few axons for so many synapses: counting is faster than sorting
        counts = np.bincount(key, minlength=n_cores * c.op.n_src)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(key, return_counts=True)
    return _Axons(found // c.op.n_src, found % c.op.n_src, counts)


def _sum(n_cores: int, parts: list[tuple[NDArray[np.int64], Any]]) -> NDArray[np.int64]:
    total = np.zeros(n_cores, np.int64)
    for core, amount in parts:
        np.add.at(total, core, amount)
    return total


def _words(
    task: Task, axons: Mapping[str, _Axons], core_of: Assignment, neurons: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Mapping[str, tuple[Format | None, ...]]]:
    """Words on each core, each connection in the format that is cheapest there, and which that is; of equals the first."""
    total, chosen = np.zeros(len(neurons), np.int64), {}
    for c in task.net.connections if task.profile.storage else ():
        a, targets = axons[c.name], np.bincount(core_of[c.dst], minlength=len(neurons))
        delay_bits = task.delays[c.name].bit_length()
        by_format = words_by_core(task.profile.storage, a.core, a.synapses, neurons, targets, task.weight_bits, delay_bits)  # type: ignore[arg-type]
        table = np.array(list(by_format.values()))
        here = np.bincount(a.core, minlength=len(neurons)) > 0
        total = np.minimum(total + np.where(here, table.min(axis=0), 0), INEXPRESSIBLE)
        names = tuple(by_format)
        chosen[c.name] = tuple(names[i] if used else None for i, used in zip(table.argmin(axis=0), here, strict=True))
    return total, chosen


def _configurations(
    task: Task, axons: Mapping[str, _Axons], core_of: Assignment, formats: Mapping[str, Any], n_cores: int
) -> dict[str, NDArray[np.int64]]:
    """How many different ones of each kind each core needs."""
    every = np.concatenate(list(core_of.values()))
    used = {
        resource: distinct(every, np.concatenate([numbers[name] for name in core_of]), n_cores)
        for resource, numbers in task.neuron_configurations.items()
    }
    wires: list[set[Any]] = [set() for _ in range(n_cores)]
    for name, one in task.synapse_configurations.items():
        for core in np.flatnonzero(np.bincount(axons[name].core)).tolist():
            wires[core].add((one, formats[name][core] if formats else None))
    return {**used, SYNAPSES: np.array([len(found) for found in wires])}


def _traffic(
    task: Task, axons: Mapping[str, _Axons], core_of: Assignment, n_cores: int
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]], float, float]:
    keys, packets, from_inputs = [np.zeros(0, np.int64)], [np.zeros(0)], 0.0
    for c in task.net.connections:
        a, sent = axons[c.name], task.rates[c.src][axons[c.name].source]
        if c.src not in core_of:
            from_inputs += float(sent.sum())
            continue
        keys.append(core_of[c.src][a.source] * n_cores + a.core)
        packets.append(sent)
    pairs, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    amount = np.bincount(inverse, np.concatenate(packets), minlength=len(pairs))
    src, dst = pairs // n_cores, pairs % n_cores
    away = src != dst
    return (src[away], dst[away], amount[away]), float(amount[~away].sum()), from_inputs


def _operations(task: Task, axons: Mapping[str, _Axons], n_cores: int) -> NDArray[np.float64]:
    total = np.zeros(n_cores)
    for c in task.net.connections:
        a = axons[c.name]
        total += np.bincount(a.core, task.rates[c.src][a.source] * a.synapses, minlength=n_cores)
    return total
