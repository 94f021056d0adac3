"""What an assignment of neurons to cores uses and sends: the one measurement of all strategies. Part of mapper."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import INEXPRESSIBLE, Axons, Format, words_by_core
from snnc.chips.schema import DISTINCT, LONGEST
from snnc.mapping.configurations import SYNAPSES, distinct
from snnc.mapping.output_axons import chips, hang_on_chips, slots
from snnc.mapping.task import Assignment, Task, cores_in
from snnc.network.model import Connection

_Ways = Mapping[str, tuple[tuple[Format, int] | None, ...]]  # connection -> (format, step) of each core, None: it has none


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

    def renumbered(self, number: NDArray[np.int64]) -> "Census":
        """What the census of the same assignment is with core i as core ``number[i]``."""
        old = np.argsort(number)
        formats = {name: tuple(forms[i] for i in old) for name, forms in self.formats.items()}
        src, dst, packets = number[self.links[0]], number[self.links[1]], self.links[2]
        order = np.lexsort((dst, src))
        return replace(
            self,
            used={resource: amounts[old] for resource, amounts in self.used.items()},
            formats=formats,
            links=(src[order], dst[order], packets[order]),
            operations=self.operations[old],
        )


@dataclass(frozen=True, eq=False)
class _Axons(Axons):
    """The input axons of one connection, sorted by core and source."""

    source: NDArray[np.int64]  # (axons,)


def census(task: Task, core_of: Assignment, *, full_cores: bool = False, places: NDArray[np.int64] | None = None) -> Census:
    """Measure an assignment, in O(synapses log synapses). ``full_cores``: with indices as wide as on a core without room.

    ``places``, shape (cores,): where each lies, None: all on one chip.
    """
    n = cores_in(core_of)
    held = {name: np.bincount(cores, minlength=n) for name, cores in core_of.items()}
    neurons = np.sum(list(held.values()), axis=0)
    axons = {c.name: _axons(task, c, core_of[c.dst], n) for c in task.net.connections}
    most = task.profile.limits.get("neurons_per_core", sum(len(cores) for cores in core_of.values()))
    words, longest, ways = _words(task, axons, core_of, np.full(n, most) if full_cores else neurons)
    synapses = _sum(n, [(a.core, a.synapses) for a in axons.values()])
    chip = chips(task.profile, np.zeros(n, np.int64) if places is None else places)
    outgoing = [_sent(task, core_of[c.src], axons[c.name], chip) for c in task.net.connections if c.src in core_of]
    used = {
        "neurons_per_core": np.sum([task.compartments[name] * count for name, count in held.items()], axis=0),
        "input_axons_per_core": _sum(n, [(a.core, 1) for a in axons.values()]),
        "output_axons_per_core": _sum(n, outgoing),
        **({"synapse_words_per_core": words} if task.profile.storage else {}),
    }
    counted = {
        "synapses_per_core": synapses,
        "weight_bytes_per_core": -(-synapses * task.weight_bits // 8),
        LONGEST: longest,
        **_configurations(task, axons, core_of, ways, n),
    }
    used |= {resource: amount for resource, amount in counted.items() if resource in task.profile.limits}
    formats = {name: tuple(way and way[0] for way in by_core) for name, by_core in ways.items()}
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
    return _Axons(found // c.op.n_src, counts, lambda: _targets(task, c, core_of, n_cores), found % c.op.n_src)


def _targets(task: Task, c: Connection, core_of: NDArray[np.int64], n_cores: int) -> NDArray[np.int64]:
    """`Axons.targets`: core after core, source after source."""
    rows = task.by_source[c.name]
    core = core_of.astype(np.uint16 if n_cores <= 1 << 16 else np.int64)  # numbers of 16 bits are sorted in linear time
    by_core = np.argsort(core, kind="stable")
    places = np.empty(len(core), np.int64)
    places[by_core] = np.arange(len(core))
    return places[rows[np.argsort(core[rows], kind="stable")]]


def _sent(task: Task, core_of: NDArray[np.int64], axons: _Axons, chip: NDArray[np.int64]) -> tuple[NDArray[np.int64], Any]:
    """(the core where each axon starts, the slots that it takes there)."""
    core = core_of[axons.source]
    return core, slots(task.profile, chip[core], chip[axons.core]) if hang_on_chips(task.profile) else 1


def _sum(n_cores: int, parts: list[tuple[NDArray[np.int64], Any]]) -> NDArray[np.int64]:
    total = np.zeros(n_cores, np.int64)
    for core, amount in parts:
        np.add.at(total, core, amount)
    return total


def _words(
    task: Task, axons: Mapping[str, _Axons], core_of: Assignment, neurons: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], _Ways]:
    """On each core: words, those of the longest axon, and how each connection is stored, the cheapest; of equals the first."""
    total, longest, chosen = np.zeros(len(neurons), np.int64), np.zeros(len(neurons), np.int64), {}
    for c in task.net.connections if task.profile.storage else ():
        a, targets = axons[c.name], np.bincount(core_of[c.dst], minlength=len(neurons))
        bits, most = task.delays[c.name].bit_length(), task.profile.limits.get(LONGEST, INEXPRESSIBLE)
        by_format = words_by_core(task.profile.storage, a, neurons, targets, task.weight_bits, bits, most)  # type: ignore[arg-type]
        table = np.array(list(by_format.values()))  # (formats, 3, cores)
        best = table[:, 0].argmin(axis=0)
        here = np.bincount(a.core, minlength=len(neurons)) > 0
        words, most_of_one, steps = np.where(here, np.take_along_axis(table, best[None, None], axis=0)[0], 0)
        total, longest = np.minimum(total + words, INEXPRESSIBLE), np.maximum(longest, most_of_one)
        names = tuple(by_format)
        ways = zip(best.tolist(), steps.tolist(), here, strict=True)
        chosen[c.name] = tuple((names[i], step) if used else None for i, step, used in ways)
    return total, longest, chosen


def _configurations(
    task: Task, axons: Mapping[str, _Axons], core_of: Assignment, ways: _Ways, n_cores: int
) -> dict[str, NDArray[np.int64]]:
    """How many different ones of each kind each core needs, if the chip limits any."""
    if not {*DISTINCT} & set(task.profile.limits):
        return {}
    every = np.concatenate(list(core_of.values()))
    used = {
        resource: distinct(every, np.concatenate([numbers[name] for name in core_of]), n_cores)
        for resource, numbers in task.neuron_configurations.items()
    }
    wires: list[set[Any]] = [set() for _ in range(n_cores)]
    for name, one in task.synapse_configurations.items():
        for core in np.flatnonzero(np.bincount(axons[name].core)).tolist():
            wires[core].add((one, ways[name][core] if ways else None))
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
