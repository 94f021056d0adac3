"""Count what cores receive and send core by core, so that no more than the synapses of one core are in memory at once.

The census does so for networks that are too large for arrays of all synapses, on chips whose synapse formats are not public:
without formats, nothing but counts of synapses and axons matters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.mapping.core_use import InputAxons
from snnc.mapping.model import Slice
from snnc.mapping.task import Assignment, Task, slices_of
from snnc.network.model import Connection

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
STREAMED = 1 << 23  # synapses from which on a network is counted core by core


def is_streamed(task: Task) -> bool:
    """Tell whether a network is counted core by core."""
    connections = task.net.connections
    return task.profile.storage is None and sum(c.op.synapse_count for c in connections) > STREAMED


@dataclass(frozen=True, eq=False)
class Counts:
    """What the cores of an assignment receive and send."""

    synapses: Mapping[str, Ints]  # connection -> (cores,)
    axons: Mapping[str, Ints]  # connection -> (cores,) input axons
    pairs: tuple[Ints, Ints, Floats]  # from core, to core (which may be the same), packets
    output_axons: Ints  # (cores,)
    input_packets: float  # from off chip
    operations: Floats  # (cores,)

    def load(self) -> dict[str, InputAxons]:
        """Return axons that stand for all of a core: as many synapses, of one source."""
        return {name: _together(synapses) for name, synapses in self.synapses.items()}


def counted(task: Task, core_of: Assignment, n: int) -> Counts:
    """Count the axons, synapses and packets of ``n`` cores, by whoever does units; every neuron is drawn or read once."""
    names = [c.name for c in task.net.connections]
    synapses, axons = ({name: np.zeros(n, np.int64) for name in names} for _ in range(2))
    sent, operations, from_inputs = np.zeros(n, np.int64), np.zeros(n), 0.0
    src, dst, packets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for core, of in enumerate(_cores(task, core_of, n)):
        for name, (reached, arriving) in zip(names, of["axons"].tolist(), strict=True):
            axons[name][core], synapses[name][core] = reached, arriving
        sent[of["from"]] += of["sent"]
        operations[core] = of["operations"]
        from_inputs += float(of["from_inputs"])
        src.append(of["links"])
        dst.append(np.full(len(of["links"]), core))
        packets.append(of["packets"])
    pairs = np.concatenate(src), np.concatenate(dst), np.concatenate(packets)
    return Counts(synapses, axons, _ordered(pairs), sent, from_inputs, operations)


def _cores(task: Task, core_of: Assignment, n: int) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield what each core receives, core after core; a unit is some successive ones."""
    cores = slices_of(core_of, n)
    before = {name: np.concatenate([[0], np.cumsum(total)]) for name, total in task.fan_in.items()}
    amounts = [sum(int(before[s.population][s.stop] - before[s.population][s.start]) for s in slices) for slices in cores]
    some = [cores[start:stop] for start, stop in units.slices(np.array(amounts), units.SYNAPSES)]
    work = units.Work("cores", _of_cores, (task, core_of, n), lambda: _identity(task, core_of))
    made = units.mapped(work, some, is_sent=task.is_sent)
    for arrays, slices in zip(made, some, strict=True):
        yield from _apart(arrays, len(slices))


def _identity(task: Task, core_of: Assignment) -> tuple[Any, ...]:
    return task.net.hash, dict(task.rates), dict(core_of)


def _of_cores(given: tuple[Task, Assignment, int], cores: Sequence[tuple[Slice, ...]]) -> dict[str, NDArray[Any]]:
    """Return `_of_core` of some cores, by name and position."""
    return {f"{name}/{i}": array for i, slices in enumerate(cores) for name, array in _of_core(*given, slices).items()}


def _apart(arrays: Mapping[str, NDArray[Any]], n: int) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield what `_of_cores` returned of each core."""
    names = [name.removesuffix("/0") for name in arrays if name.endswith("/0")]
    for i in range(n):
        yield {name: arrays[f"{name}/{i}"] for name in names}


def _of_core(task: Task, core_of: Assignment, n: int, slices: tuple[Slice, ...]) -> dict[str, NDArray[Any]]:
    """Return what one core receives.

    ``axons``, (connections, 2): input axons and synapses. ``from`` and ``sent``: cores, and how many output axons of each end
    here. ``links`` and ``packets``: cores, and the packets that come from each. ``from_inputs``: packets from off chip.
    """
    number = {c.name: i for i, c in enumerate(task.net.connections)}
    axons, arriving, sent = np.zeros((len(number), 2), np.int64), np.zeros(n), np.zeros(n, np.int64)
    operations = from_inputs = 0.0
    for c, often in _often(task, slices):
        reached, rates = often > 0, task.rates[c.src]
        axons[number[c.name]] = np.count_nonzero(reached), often.sum()
        operations += float(rates @ often)
        if c.src in core_of:
            start = core_of[c.src][reached]
            sent += np.bincount(start, minlength=n)
            arriving += np.bincount(start, rates[reached], minlength=n)
        else:
            from_inputs += float(rates[reached].sum())
    links, senders = np.flatnonzero(arriving), np.flatnonzero(sent)
    return {
        "axons": axons, "from": senders, "sent": sent[senders], "links": links, "packets": arriving[links],
        "operations": np.array(operations), "from_inputs": np.array(from_inputs),
    }  # fmt: skip


def _often(task: Task, slices: tuple[Slice, ...]) -> list[tuple[Connection, Ints]]:
    """Return how many synapses each source has into the neurons of a core, (n_src,), by connection."""
    often = dict[str, Ints]()
    for core_slice in slices:
        for c in task.unrolled.into(core_slice.population):
            total = often.setdefault(c.name, np.zeros(c.op.n_src, np.int64))
            sources, synapses = c.op.axons(core_slice.start, core_slice.stop)
            total[sources] += synapses
    return [(c, often[c.name]) for c in task.net.connections if c.name in often]


def _ordered(pairs: tuple[Ints, Ints, Floats]) -> tuple[Ints, Ints, Floats]:
    """Return the pairs of cores by source, then by destination."""
    src, dst, packets = pairs
    order = np.lexsort((dst, src))
    return src[order], dst[order], packets[order]


def _together(synapses: Ints) -> InputAxons:
    cores = np.flatnonzero(synapses)
    nothing: Any = np.zeros(len(cores), np.int64)
    return InputAxons(cores, synapses[cores], lambda: nothing, nothing)
