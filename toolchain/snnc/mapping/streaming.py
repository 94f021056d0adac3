"""Count what cores receive and send core by core, so that no more than the synapses of one core are in memory at once.

The census does so for networks that are too large for arrays of all synapses, on chips whose synapse formats are not public:
without formats, nothing but counts of synapses and axons matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    """Count the axons, synapses and packets of ``n`` cores; every neuron of a core is drawn or read once."""
    names = [c.name for c in task.net.connections]
    synapses, axons = ({name: np.zeros(n, np.int64) for name in names} for _ in range(2))
    sent, operations, from_inputs = np.zeros(n, np.int64), np.zeros(n), 0.0
    src, dst, packets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0)]
    for core, slices in enumerate(slices_of(core_of, n)):
        arriving = np.zeros(n)
        for c, often in _often(task, slices):
            reached, rates = often > 0, task.rates[c.src]
            synapses[c.name][core], axons[c.name][core] = often.sum(), np.count_nonzero(reached)
            operations[core] += float(rates @ often)
            if c.src in core_of:
                start = core_of[c.src][reached]
                sent += np.bincount(start, minlength=n)
                arriving += np.bincount(start, rates[reached], minlength=n)
            else:
                from_inputs += float(rates[reached].sum())
        from_cores = np.flatnonzero(arriving)
        src.append(from_cores)
        dst.append(np.full(len(from_cores), core))
        packets.append(arriving[from_cores])
    pairs = np.concatenate(src), np.concatenate(dst), np.concatenate(packets)
    return Counts(synapses, axons, _ordered(pairs), sent, from_inputs, operations)


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
