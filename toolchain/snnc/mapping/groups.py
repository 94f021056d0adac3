"""Groups: neighbouring neurons that lie on a core together, and the spikes between them. What strategy `levels` moves.

Spikes are counted group by group, so that no more than the synapses of one group are in memory at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Self

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.census import Census
from snnc.mapping.task import Assignment, Task
from snnc.network.model import Population

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MOST = 4096  # groups, unless feature maps or the slices of cores make more
PER_CORE = 16  # groups that a core holds at least, of feature maps
PINS = 2_000_000  # groups that axons reach, all together; of more axons a sample is kept
BY_SYNAPSES = ("synapse_words_per_core", "synapses_per_core", "weight_bytes_per_core")


@dataclass(frozen=True, eq=False)
class Groups:
    """Runs of neurons, none longer than a core of the assignment they are made of, and the axons between them.

    An axon is a neuron and a connection by which it sends. Those of inputs are left out: their hops are not counted.
    """

    of: dict[str, Ints]  # population -> (n,) the group of each of its neurons
    needs: Floats  # (groups, resources) what each takes of a core, as a share of the limit
    source: Ints  # (axons,) the group that each axon comes from
    packets: Floats  # (axons,) in one inference
    first: Ints  # (groups + 1,) where the axons that reach each group begin in `reaching`
    reaching: Ints  # (pins,) axons by the group they reach, which is another one than they come from

    @property
    def count(self) -> int:
        return len(self.needs)

    @classmethod
    def of_assignment(cls, task: Task, core_of: Assignment, measured: Census, together: Mapping[str, int]) -> Self:
        """Return groups that lie on one core each in an assignment, with a sample of the axons if there are too many.

        ``together``: how many neighbours of each population are a group, unless there are too many groups.
        """
        of, ends = _runs(core_of, together)
        needs = _needs(task, of, core_of, measured)
        source, packets, numbers = _axons(task, of, len(needs))
        reaching = [_reaching(task, numbers, source, run, group) for group, run in enumerate(ends)]
        first = np.concatenate([[0], np.cumsum([len(axons) for axons in reaching])])
        return cls(of, needs, source, packets, first, np.concatenate([np.zeros(0, np.int64), *reaching]))

    def into(self, group: int) -> Ints:
        """Return the axons that reach a group from others."""
        return self.reaching[self.first[group] : self.first[group + 1]]

    def place_of(self, core_of: Assignment) -> Ints:
        """Return the core of each group, (groups,), in an assignment that keeps groups together."""
        cores = np.empty(self.count, np.int64)
        for name, groups in self.of.items():
            cores[groups] = core_of[name]
        return cores

    def are_kept(self, core_of: Assignment) -> bool:
        """Tell whether an assignment keeps the neurons of each group together."""
        kept = self.assignment(self.place_of(core_of))
        return all(np.array_equal(kept[name], cores) for name, cores in core_of.items())

    def assignment(self, cores: Ints) -> dict[str, Ints]:
        """Return the core of each neuron; ``cores``, (groups,): that of each group."""
        return {name: cores[groups] for name, groups in self.of.items()}


def together(p: Population, limit: int) -> int:
    """Return how many neighbours are one group: of feature maps the channels of one place, or an even part of them.

    ``limit``: neurons that a core holds.
    """
    if len(p.shape) < 2:
        return 1
    return ceil(p.shape[0] / ceil(p.shape[0] / max(1, limit // PER_CORE)))


def _runs(core_of: Assignment, together: Mapping[str, int]) -> tuple[dict[str, Ints], list[tuple[str, int, int]]]:
    """Return the group of each neuron, and the population and the neurons, start to stop - 1, of each group."""
    least = ceil(sum(len(cores) for cores in core_of.values()) / MOST)
    of: dict[str, Ints] = {}
    runs: list[tuple[str, int, int]] = []
    for name, cores in core_of.items():
        size = max(together[name], least)
        begins = (np.arange(len(cores)) % size == 0) | (np.diff(cores, prepend=-1) != 0)
        of[name] = len(runs) + np.cumsum(begins) - 1
        starts = np.flatnonzero(begins).tolist()
        runs += [(name, start, stop) for start, stop in zip(starts, [*starts[1:], len(cores)], strict=True)]
    return of, runs


def _needs(task: Task, of: Mapping[str, Ints], core_of: Assignment, measured: Census) -> Floats:
    """Return what each group takes of a core, (groups, resources), as a share of the limit.

    Neurons are counted; of memory and synapses a group has the part of its synapses, of the rest that of its neurons.
    """
    group, core = np.concatenate(list(of.values())), np.concatenate([core_of[name] for name in of])
    compartments = np.concatenate([np.full(len(groups), task.compartments[name]) for name, groups in of.items()])
    synapses = np.concatenate([_fan_in(task, name) for name in of])
    needs = []
    for resource, limit in task.profile.amounts.items():
        if resource not in measured.used:
            continue
        part = compartments if resource == "neurons_per_core" else synapses if resource in BY_SYNAPSES else np.ones(len(core))
        whole = np.bincount(core, part, minlength=measured.cores)
        each = part * (measured.used[resource] / np.maximum(whole, 1))[core]
        needs.append(np.bincount(group, each) / limit)
    return np.array(needs or [np.zeros(int(group.max()) + 1)]).T


def _fan_in(task: Task, name: str) -> Ints:
    """Return the synapses that end at each neuron of a population."""
    total = np.zeros(task.net[name].size, np.int64)
    for c in task.unrolled.into(name):
        total += c.op.fan_in()
    return total


def _axons(task: Task, of: Mapping[str, Ints], groups: int) -> tuple[Ints, Floats, dict[str, Ints]]:
    """Return (the group that each axon comes from, its packets, connection -> (n_src,) the axon of each neuron, -1 for none).

    With more axons than reach `PINS` groups, as far as their synapses tell, each connection keeps the same part of them.
    """
    own = [c for c in task.unrolled.connections if c.src in of]
    pins = sum(min(c.op.synapse_count, c.op.n_src * int(np.ptp(of[c.dst]) + 1)) for c in own)
    part, rng = min(1.0, PINS / max(1, pins)), np.random.default_rng(task.seed)
    source, packets, numbers, count = [np.zeros(0, np.int64)], [np.zeros(0)], dict[str, Ints](), 0
    for c in own:
        kept = np.sort(rng.permutation(c.op.n_src)[: ceil(part * c.op.n_src)])
        numbers[c.name] = np.full(c.op.n_src, -1)
        numbers[c.name][kept] = count + np.arange(len(kept))
        count += len(kept)
        source.append(of[c.src][kept])
        packets.append(task.rates[c.src][kept] / part)
    return np.concatenate(source), np.concatenate(packets), numbers


def _reaching(task: Task, numbers: Mapping[str, Ints], source: Ints, run: tuple[str, int, int], group: int) -> Ints:
    """Return the axons that reach the neurons of a group from other groups."""
    name, start, stop = run
    axons = [np.zeros(0, np.int64)]
    for c in task.unrolled.into(name):
        if c.name in numbers:
            reached = numbers[c.name][c.op.axons(start, stop)[0]]
            axons.append(reached[reached >= 0])
    every = np.concatenate(axons)
    others: Ints = every[source[every] != group]
    return others
