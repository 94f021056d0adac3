"""What every strategy is given: a network, a chip, how often each neuron fires, and a seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError, UsageError
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.configurations import at_most
from snnc.mapping.model import Slice
from snnc.mapping.split import split
from snnc.network.model import Connection, Network
from snnc.ops.dense import Dense

Rates = Mapping[str, NDArray[np.float64]]  # population -> (n,) spikes that each neuron sends in one inference
Assignment = Mapping[str, NDArray[np.int64]]  # population with neurons -> (n,) the core of each; cores 0, 1, ... without a gap
Pattern = tuple[NDArray[Any], NDArray[Any]]  # (destination neurons, source neurons), one entry a synapse


@dataclass(frozen=True, eq=False)
class Task(ChipNetwork):
    """A network to be put on a chip, how often its neurons fire, and a seed."""

    rates: Rates
    seed: int

    @classmethod
    def of(cls, net: Network, profile: Profile, rates: Rates | None = None, seed: int = 0) -> Self:
        """Return the task; without ``rates`` every neuron counts as firing once.

        Raises UnsupportedError if no number of cores will do, UsageError for a seed that is none.
        """
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise UsageError(f"{seed!r} is no whole number from 0 on", where="seed", fix="pass seed=0, say")
        task = cls(net, profile, rates or {p.name: np.ones(p.size) for p in net.populations}, seed)
        task.must_be_storable()
        return task

    @cached_property
    def unrolled(self) -> Network:
        """The network with every synapse on its own: all that a chip without shared weights can hold, and fast to cut."""

        def dense(c: Connection) -> Connection:
            if c.op.kind == Dense.kind and c.op.pool is None:
                return c
            try:
                return replace(c, op=Dense(c.op.unrolled(), c.op.exponent, c.op.sign_mode))
            except DoesNotFitError as error:
                fix = (
                    "prune it (snnc prune), or export it without a mapping of its own: slices in order are cut without unrolling"
                )
                raise DoesNotFitError(error.what, where=f"connection {c.name!r}", fix=fix) from error

        return replace(self.net, connections=tuple(map(dense, self.net.connections)))

    @cached_property
    def patterns(self) -> Mapping[str, Pattern]:
        """The synapses of every connection, those that share a weight one by one."""
        synapses = {c.name: c.op.synapses for c in self.unrolled.connections}
        return {name: (s.rows.astype(np.int32), s.indices) for name, s in synapses.items()}

    @cached_property
    def synapses_at_most(self) -> Mapping[str, frozenset[Any]]:
        """Connection -> names, of which connections have together no fewer than they need configurations on any core."""
        storage = self.profile.storage
        return at_most(self.synapse_configurations, storage.ways if storage else ("",))

    @cached_property
    def by_source(self) -> Mapping[str, NDArray[np.int32]]:
        """The destination neurons of every connection's synapses, source after source, ascending: shape (synapses,)."""
        return {c.name: c.op.synapses.to_scipy().tocsc().indices for c in self.unrolled.connections}

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """The contiguous slices of `split`."""
        return split(self.unrolled, self.profile)

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """The populations that lie on cores, in the order of computation."""
        return tuple(p.name for p in self.net.ordered if p.neuron)


def of_slices(task: Task, cores: tuple[tuple[Slice, ...], ...]) -> Assignment:
    """Return the assignment in which core i holds the slices ``cores[i]``."""
    core_of = {name: np.full(task.net[name].size, -1, np.int64) for name in task.neurons}
    for i, slices in enumerate(cores):
        for core_slice in slices:
            core_of[core_slice.population][core_slice.start : core_slice.stop] = i
    return core_of


def slices_of(core_of: Assignment, n_cores: int) -> tuple[tuple[Slice, ...], ...]:
    """Return the slices of each core, the longest runs of neurons there are."""
    slices: list[list[Slice]] = [[] for _ in range(n_cores)]
    for name, cores in core_of.items():
        edges = [0, *(np.flatnonzero(np.diff(cores)) + 1).tolist(), len(cores)]
        for start, stop in pairwise(edges):
            slices[int(cores[start])].append(Slice(name, start, stop))
    return tuple(map(tuple, slices))


def cores_in(core_of: Assignment) -> int:
    """Return how many cores an assignment names."""
    return 1 + max(int(cores.max()) for cores in core_of.values())


def numbered(core_of: Assignment) -> Assignment:
    """Renumber the cores 0, 1, ... in the order in which neurons first name them, without a gap."""
    every = np.concatenate(list(core_of.values()))
    _, first, inverse = np.unique(every, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return by_population(core_of, rank[inverse])


def by_population(core_of: Assignment, each: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Split an array with a number for each neuron, all populations of an assignment one after the other, by population."""
    parts = np.split(each, np.cumsum([len(cores) for cores in core_of.values()])[:-1])
    return dict(zip(core_of, parts, strict=True))
