"""Move and exchange groups between cores as long as that saves packets x hops. What strategy `levels` ends with."""

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.groups import Groups

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
HELD = 1 << 26  # numbers of cores by axons; with more axons, a sample of these is looked at
WORK = 6_000_000_000  # elements touched by all moves together
STEP = 1000  # elements that take as long as a single cost
DISTURBED = 4_000_000  # elements touched before random exchanges end
PATIENCE, PART = 4, 0.05  # random exchanges in vain before they end; the groups that one of them exchanges
TRIED = 4  # exchanges of each group in a pass, those that promise most
LEAST = 1e-9  # of what all packets cost is no saving
ENOUGH = 0.002  # of that is what all groups together save, or they are left
ROUNDING = 1e-9  # of what a core holds


class Moves:
    """Groups on cores at places, and what moving them saves in packets x hops.

    Attributes:
        cores: The core of each group, (groups,).
    """

    def __init__(self, groups: Groups, cores: Ints, far: Floats) -> None:
        """Count what lies where. ``far``: hops between cores, (cores, cores)."""
        self.cores, self.far, self.needs = cores.copy(), far, groups.needs
        n = len(far)
        kept = np.zeros(len(groups.source), np.bool_)
        kept[np.random.default_rng(0).permutation(len(kept))[: max(1, HELD // n)]] = True
        row = np.cumsum(kept) - 1
        self.into = [row[axons[kept[axons]]] for axons in map(groups.into, range(groups.count))]  # axons that reach each group
        self.source, self.packets = groups.source[kept], groups.packets[kept]
        self.start = self.cores[self.source]  # the core that each axon comes from
        self.own = _lists(self.source, groups.count)  # axons that come from each group
        self.reached = np.zeros((n, len(self.source)), np.int16)  # groups on each core that each axon reaches
        for group, axons in enumerate(self.into):
            self.reached[self.cores[group], axons] += 1
        self.sent = np.zeros((groups.count, n))  # packets from each group to each core
        for core in range(n):
            self.sent[:, core] = np.bincount(self.source, self.packets * (self.reached[core] > 0), minlength=groups.count)
        self.load = np.zeros((n, groups.needs.shape[1]))
        np.add.at(self.load, self.cores, groups.needs)
        self.work = 0

    def paid(self) -> float:
        """Return the packets x hops of all axons that are held."""
        return float((self.sent * self.far[self.cores]).sum())

    def cost(self, group: int, to: int) -> float:
        """Return how many packets x hops more a group costs on another core."""
        old, axons = self.cores[group], self.into[group]
        start = self.start[axons]
        new = (self.reached[to, axons] == 0) * self.far[to, start]
        left = (self.reached[old, axons] == 1) * self.far[old, start]
        self.work += len(axons) + STEP
        return float(self.packets[axons] @ (new - left) + self.sent[group] @ (self.far[to] - self.far[old]))

    def costs(self) -> Floats:
        """Return `cost` of each group on each core: shape (groups, cores)."""
        member = _matrix(self.into, len(self.source))
        pins = np.concatenate([np.zeros(0, np.int64), *self.into])
        group = np.repeat(np.arange(len(self.into)), [len(axons) for axons in self.into])
        core = self.cores[group]
        alone = self.packets[pins] * (self.reached[core, pins] == 1) * self.far[core, self.start[pins]]
        costs: Floats = self.sent @ self.far
        costs -= (costs[np.arange(len(costs)), self.cores] + np.bincount(group, alone, minlength=len(costs)))[:, None]
        for to in range(len(self.far)):
            costs[:, to] += member @ (self.packets * (self.reached[to] == 0) * self.far[to, self.start])
        self.work += (len(pins) + costs.size) * len(self.far)
        return costs

    def move(self, group: int, to: int) -> None:
        """Put a group on another core."""
        old, axons = self.cores[group], self.into[group]
        for core, change in ((old, -1), (to, 1)):
            here = axons[self.reached[core, axons] == (1 if change < 0 else 0)]  # that reach this core only for this group
            np.add.at(self.sent[:, core], self.source[here], change * self.packets[here])
            self.reached[core, axons] += change
            self.load[core] += change * self.needs[group]
        self.start[self.own[group]] = to
        self.cores[group] = to

    def room(self, group: int) -> NDArray[np.bool_]:
        """Return which cores have room for a group: shape (cores,)."""
        return np.asarray((self.load + self.needs[group] <= 1 + ROUNDING).all(axis=1))

    def fits(self, group: int, other: int) -> bool:
        """Tell whether two groups can change places."""
        more = self.needs[group] - self.needs[other]
        a, b = self.load[self.cores[group]] - more, self.load[self.cores[other]] + more
        return bool((np.maximum(a, b) <= 1 + ROUNDING).all())


def moved(groups: Groups, cores: Ints, far: Floats, seed: int) -> Ints:
    """Return cores of the groups, (groups,), with no more packets x hops than ``cores``, as far as the axons tell.

    Each group is tried on the core where it saves most, then in exchange for other groups, until nothing saves any more. Then,
    where that takes little work, some groups are exchanged at random, and what follows is kept if it is better. Equal seeds give
    equal results.
    """
    state, rng = Moves(groups, cores, far), np.random.default_rng(seed)
    _settle(state, rng)
    best, paid, failed = state.cores.copy(), state.paid(), 0
    while failed < PATIENCE and state.work < DISTURBED:
        _disturb(state, rng)
        _settle(state, rng)
        if state.paid() < (1 - LEAST) * paid:
            best, paid, failed = state.cores.copy(), state.paid(), 0
        else:
            failed += 1
            for group in np.flatnonzero(state.cores != best).tolist():
                state.move(group, int(best[group]))
    return best


def _settle(state: Moves, rng: np.random.Generator) -> None:
    """Move and exchange groups until all of them together save less than `ENOUGH`."""
    before, least = np.inf, LEAST * max(1.0, state.paid())
    while (paid := state.paid()) < (1 - ENOUGH) * before and state.work < WORK:
        before, costs = paid, state.costs()
        for group in rng.permutation(len(state.cores)).tolist():
            state.work += STEP
            if not _moves(state, costs, group, least):
                _exchanges(state, costs, group, least)


def _disturb(state: Moves, rng: np.random.Generator) -> None:
    """Exchange some groups at random."""
    for group, other in rng.integers(0, len(state.cores), (ceil(PART * len(state.cores)), 2)).tolist():
        if state.fits(group, other):
            a, b = int(state.cores[group]), int(state.cores[other])
            state.move(group, b)
            state.move(other, a)


def _moves(state: Moves, costs: Floats, group: int, least: float) -> bool:
    """Move a group to the core with room that promises most, if that saves more than ``least``; tell whether it does."""
    promised = np.where(state.room(group), costs[group], np.inf)
    promised[state.cores[group]] = np.inf
    to = int(promised.argmin())
    if promised[to] >= -least or state.cost(group, to) >= -least:
        return False
    state.move(group, to)
    return True


def _exchanges(state: Moves, costs: Floats, group: int, least: float) -> bool:
    """Exchange a group for another one, if that saves more than ``least``; tell whether it does. ``costs``: of before."""
    old = int(state.cores[group])
    promised = costs[group, state.cores] + costs[:, old]
    promised[state.cores == old] = np.inf
    tried = np.argpartition(promised, min(TRIED, len(promised) - 1))[:TRIED]
    for other in tried[np.argsort(promised[tried], kind="stable")].tolist():
        if promised[other] >= -least:
            return False
        if not state.fits(group, other):
            continue
        to = int(state.cores[other])
        first = state.cost(group, to)
        state.move(group, to)
        if first + state.cost(other, old) < -least:
            state.move(other, old)
            return True
        state.move(group, old)
    return False


def _lists(of: Ints, count: int) -> list[Ints]:
    """Return where each number 0 .. count - 1 stands."""
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], np.arange(1, count)))


def _matrix(lists: list[Ints], columns: int) -> Any:
    """Return a sparse matrix with a row of ones for each list."""
    from scipy.sparse import csr_array

    first = np.concatenate([[0], np.cumsum([len(one) for one in lists])])
    every = np.concatenate([np.zeros(0, np.int64), *lists])
    return csr_array((np.ones(len(every)), every, first), shape=(len(lists), columns))
