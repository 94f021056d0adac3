"""What an assignment of neurons to cores uses and sends: the one measurement of all strategies."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import Format
from snnc.mapping.core_use import InputAxons, Load, stored, use
from snnc.mapping.output_axons import chips, hang_on_chips, slots
from snnc.mapping.streaming import counted, is_streamed
from snnc.mapping.task import Assignment, Task, cores_in
from snnc.network.model import Connection

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Census:
    """An assignment, measured. Packets and operations are those of one inference, by the task's rates."""

    used: Mapping[str, Ints]  # resource (a key of Profile.limits) -> (cores,)
    formats: Mapping[str, tuple[Format | None, ...]]  # connection -> how each core stores its synapses, None: it has none
    links: tuple[Ints, Ints, NDArray[np.float64]]  # from core, to another core, packets
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

    def renumbered(self, number: Ints) -> "Census":
        """Return the census of the same assignment with core i as core ``number[i]``."""
        old = np.argsort(number)
        formats = {name: tuple(by_core[i] for i in old) for name, by_core in self.formats.items()}
        src, dst, packets = number[self.links[0]], number[self.links[1]], self.links[2]
        order = np.lexsort((dst, src))
        return replace(
            self,
            used={resource: amounts[old] for resource, amounts in self.used.items()},
            formats=formats,
            links=(src[order], dst[order], packets[order]),
            operations=self.operations[old],
        )


def census(task: Task, core_of: Assignment, *, full_cores: bool = False, places: Ints | None = None) -> Census:
    """Measure an assignment, in O(synapses log synapses).

    ``full_cores``: with indices as wide as on a core without room. ``places``, shape (cores,): where each core lies, None
    for all on one chip.
    """
    n = cores_in(core_of)
    neurons = {name: (slice(len(cores)), cores) for name, cores in core_of.items()}
    if is_streamed(task) and not hang_on_chips(task.profile):
        return _streamed(task, core_of, neurons, n)
    axons = {c.name: _axons(task, c, core_of[c.dst], n) for c in task.net.connections}
    load = Load(n, neurons, axons)
    most = task.profile.limits.get("neurons_per_core", sum(len(cores) for cores in core_of.values()))
    words = stored(task, load, np.full(n, most) if full_cores else None, only_best=True)
    used, ways = use(task, load, words)
    chip = chips(task.profile, np.zeros(n, np.int64) if places is None else places)
    sent = [_sent(task, core_of[c.src], axons[c.name], chip) for c in task.net.connections if c.src in core_of]
    used["output_axons_per_core"] = np.sum([np.zeros(n, np.int64), *sent], axis=0)
    formats = {name: tuple(way and way[0] for way in by_core) for name, by_core in ways.items()}
    return Census(used, formats, *_traffic(task, axons, core_of, n), _operations(task, axons, n))


def _streamed(task: Task, core_of: Assignment, neurons: Mapping[str, tuple[slice, Ints]], n: int) -> Census:
    """Return the census of a large network, counted core by core."""
    counts = counted(task, core_of, n)
    used, _ = use(task, Load(n, neurons, counts.load()), {})
    used["input_axons_per_core"] = np.sum(list(counts.axons.values()), axis=0)
    used["output_axons_per_core"] = counts.output_axons
    src, dst, packets = counts.pairs
    away = src != dst
    links, local = (src[away], dst[away], packets[away]), float(packets[~away].sum())
    return Census(used, {}, links, local, counts.input_packets, counts.operations)


def _axons(task: Task, c: Connection, core_of: Ints, n_cores: int) -> InputAxons:
    rows, columns = task.patterns[c.name]
    key = core_of[rows] * c.op.n_src + columns
    if n_cores * c.op.n_src <= 4 * len(key) + 1024:  # few axons for so many synapses: counting is faster than sorting
        counts = np.bincount(key, minlength=n_cores * c.op.n_src)
        keys = np.flatnonzero(counts)
        counts = counts[keys]
    else:
        keys, counts = np.unique(key, return_counts=True)
    return InputAxons(keys // c.op.n_src, counts, lambda: _targets(task, c, core_of, n_cores), keys % c.op.n_src)


def _targets(task: Task, c: Connection, core_of: Ints, n_cores: int) -> Ints:
    """Return `Axons.targets`: core after core, source after source."""
    rows = task.by_source[c.name]
    core = core_of.astype(np.uint16 if n_cores <= 1 << 16 else np.int64)  # numbers of 16 bits are sorted in linear time
    by_core = np.argsort(core, kind="stable")
    places = np.empty(len(core), np.int64)
    places[by_core] = np.arange(len(core))
    return places[rows[np.argsort(core[rows], kind="stable")]]


def _sent(task: Task, core_of: Ints, axons: InputAxons, chip: Ints) -> Ints:
    """Return the slots that the output axons of a connection take on the cores where they start: (cores,)."""
    core = core_of[axons.source]
    taken = slots(task.profile, chip[core], chip[axons.core]) if hang_on_chips(task.profile) else None
    return np.bincount(core, taken, minlength=len(chip)).astype(np.int64)


def _traffic(
    task: Task, axons: Mapping[str, InputAxons], core_of: Assignment, n_cores: int
) -> tuple[tuple[Ints, Ints, NDArray[np.float64]], float, float]:
    (src, dst, amount), from_inputs = _pairs(task, axons, core_of, n_cores)
    away = src != dst
    return (src[away], dst[away], amount[away]), float(amount[~away].sum()), from_inputs


def pairs(task: Task, core_of: Assignment) -> tuple[Ints, Ints, NDArray[np.float64]]:
    """Return all packets of one inference that cores send: (from core, to core, packets), also from a core to itself."""
    n = cores_in(core_of)
    if is_streamed(task):
        return counted(task, core_of, n).pairs
    return _pairs(task, {c.name: _axons(task, c, core_of[c.dst], n) for c in task.net.connections}, core_of, n)[0]


def _pairs(
    task: Task, axons: Mapping[str, InputAxons], core_of: Assignment, n_cores: int
) -> tuple[tuple[Ints, Ints, NDArray[np.float64]], float]:
    keys, packets, from_inputs = [np.zeros(0, np.int64)], [np.zeros(0)], 0.0
    for c in task.net.connections:
        a, sent = axons[c.name], task.rates[c.src][axons[c.name].source]
        if c.src not in core_of:
            from_inputs += float(sent.sum())
            continue
        keys.append(core_of[c.src][a.source] * n_cores + a.core)
        packets.append(sent)
    numbers, inverse = np.unique(np.concatenate(keys), return_inverse=True)
    amount: NDArray[np.float64] = np.bincount(inverse, np.concatenate(packets), minlength=len(numbers)).astype(np.float64)
    return (numbers // n_cores, numbers % n_cores, amount), from_inputs


def _operations(task: Task, axons: Mapping[str, InputAxons], n_cores: int) -> NDArray[np.float64]:
    total = np.zeros(n_cores)
    for c in task.net.connections:
        a = axons[c.name]
        total += np.bincount(a.core, task.rates[c.src][a.source] * a.synapses, minlength=n_cores)
    return total
