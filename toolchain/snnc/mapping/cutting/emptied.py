"""Empty small cores into others that lack little room, by axons that end. Part of the strategies.

A few neurons more than cores hold take a core of their own. If another core takes them, it is over a limit by a little; that is
made up for by synapses: a source that reaches few neurons of a core reaches none once these have gone to cores that it reaches
anyway, or have changed places with neurons there that it does not reach. Its axon ends, one output and one input axon less.
"""

from collections.abc import Iterator, Set

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.census import census
from snnc.mapping.task import Assignment, Task, cores_in, numbered

NEURONS = 32  # that leave a core at once, at most
LITTLE = 1 / 8  # of a core is what others may be over their limits, all together, when it is gone
HOMES = 4  # for each of its neurons that are tried, the best first
AXONS = 16  # that are tried before a core stays, those of fewest synapses first
WORK = 1 << 25  # synapses that are counted, all tries together

IN, OUT = "input_axons_per_core", "output_axons_per_core"
Axon = tuple[int, int, int]  # connection by number, source neuron, core
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class _Cores:
    """An assignment that may be over limits, and how far."""

    def __init__(self, task: Task, core_of: Assignment) -> None:
        self.task, self.core_of = task, core_of
        self.neurons = np.bincount(np.concatenate(list(core_of.values())))  # (cores,)
        used, limits = census(task, core_of).used, task.profile.limits
        self.share = {r: used[r] / limit for r, limit in limits.items() if r in used}  # resource -> (cores,) of its limit
        self.excess = float(sum(np.maximum(share - 1, 0).sum() for share in self.share.values()))

    def over(self, resources: Set[str]) -> NDArray[np.bool_]:
        """Return whether each core is over any of these limits: shape (cores,)."""
        over: NDArray[np.bool_] = np.any([self.neurons < 0, *(self.share[resource] > 1 for resource in resources)], axis=0)
        return over


def emptied(task: Task, core_of: Assignment, most: int) -> Assignment:
    """Empty the smallest cores of a legal assignment one by one while it has more than ``most``; it stays legal."""
    tries = iter(range(WORK // (1 + sum(c.op.synapse_count for c in task.net.connections))))
    while cores_in(core_of) > most:
        cores = _Cores(task, core_of)
        smallest = int(cores.neurons.argmin())
        if cores.neurons[smallest] > NEURONS:
            break
        ranks = (rank for rank, _ in zip(range(HOMES), tries, strict=False))
        ways = (_relieved(_Cores(task, _without(cores, smallest, rank)), tries) for rank in ranks)
        fewer = next((way for way in ways if not way.excess), None)
        if fewer is None:
            break
        core_of = numbered(fewer.core_of)
    return core_of


def _without(cores: _Cores, core: int, rank: int) -> Assignment:
    """Put the neurons of a core on the others, which suit them best (``rank`` 0) or second best."""
    new = {name: core_of.copy() for name, core_of in cores.core_of.items()}
    for name, core_of in cores.core_of.items():
        leaving = np.flatnonzero(core_of == core)
        new[name][leaving] = _homes(cores, name, leaving, rank)
    return numbered(new)


def _relieved(cores: _Cores, tries: Iterator[int]) -> _Cores:
    """End axons, one after the other, until no core is over a limit, or as far as that goes."""
    while 0 < cores.excess <= LITTLE:
        ended = (_Cores(cores.task, new) for new, _ in zip(_ends(cores), tries, strict=False))
        better = next((new for new in ended if new.excess < cores.excess), None)
        if better is None:
            break
        cores = better
    return cores


def _ends(cores: _Cores) -> Iterator[Assignment]:
    """Yield the assignment without one axon, for one axon after the other."""
    for axon in _axons(cores):
        for swapped in (False, True):
            yield _without_axon(cores, axon, swapped)


def _axons(cores: _Cores) -> list[Axon]:
    """Return the axons whose end helps a core that is over a limit, those of fewest synapses first.

    They start there if it has too many output axons; for whatever else they end there.
    """
    candidates: list[tuple[int, ...]] = []
    limited = cores.share.keys()
    sends, holds = cores.over(limited & {OUT}), cores.over(limited - {OUT})
    for i, c in enumerate(cores.task.net.connections):
        rows, columns = cores.task.patterns[c.name]
        core = cores.core_of[c.dst][rows]
        helps = holds[core]
        if c.src in cores.core_of:
            helps |= sends[cores.core_of[c.src][columns]]
        key, synapses = np.unique(core[helps] * c.op.n_src + columns[helps], return_counts=True)
        least = [j for j in np.argsort(synapses, kind="stable")[:AXONS] if synapses[j] <= NEURONS]
        candidates += [(int(synapses[j]), i, int(key[j] % c.op.n_src), int(key[j] // c.op.n_src)) for j in least]
    return [(i, source, core) for _, i, source, core in sorted(candidates)[:AXONS]]


def _without_axon(cores: _Cores, axon: Axon, swapped: bool) -> Assignment:
    """Put the targets of an axon on other cores; ``swapped``: each for a neuron from there."""
    i, source, core = axon
    c = cores.task.net.connections[i]
    rows, columns = cores.task.patterns[c.name]
    here = cores.core_of[c.dst]
    leaving = rows[(columns == source) & (here[rows] == core)]
    new = here.copy()
    new[leaving] = homes = _homes(cores, c.dst, leaving)
    stay = set(leaving.tolist())
    for neuron, home in zip(leaving.tolist(), homes, strict=True) if swapped else ():
        others = [n for n in np.flatnonzero(new == home).tolist() if n not in stay]
        if others:
            new[_partner(cores.task, c.dst, new, neuron, others, core)] = core
    return {**cores.core_of, c.dst: new}


def _homes(cores: _Cores, population: str, neurons: Ints, rank: int = 0) -> list[int]:
    """Return another core for each: where least is over a limit, of equals where fewest axons begin, then the emptiest."""
    limits, homes = cores.task.profile.amounts, []
    share = {resource: amount.copy() for resource, amount in cores.share.items() if resource in limits}
    for neuron in neurons.tolist():
        old = cores.core_of[population][neuron]
        begun, beyond = _begun(cores, population, neuron)
        need = {resource: np.full(len(begun), cores.share[resource][old] / cores.neurons[old]) for resource in share}
        if IN in need:
            need[IN] = begun / limits[IN]
        after = np.max([share[resource] + need[resource] for resource in share], axis=0)
        after[old] = np.inf
        home = int(np.lexsort((after, begun, beyond + np.maximum(after, 1)))[min(rank, len(after) - 2)])
        for resource in share:
            share[resource][home] += need[resource][home]
        homes.append(home)
    return homes


def _begun(cores: _Cores, population: str, neuron: int) -> tuple[Ints, Floats]:
    """Return what begins if a neuron goes to a core: sources without a synapse there, and how far their cores are over in axons.

    Shape (cores,) each; the latter in shares of a core's output axons.
    """
    begun, beyond = np.zeros(len(cores.neurons), np.int64), np.zeros(len(cores.neurons))
    for c in cores.task.net.into(population):
        rows, columns = cores.task.patterns[c.name]
        sources = columns[rows == neuron]
        place = np.full(c.op.n_src, -1)
        place[sources] = np.arange(len(sources))
        theirs = place[columns] >= 0
        begins = np.ones((len(sources), len(begun)), bool)
        begins[place[columns[theirs]], cores.core_of[population][rows[theirs]]] = False
        begun += begins.sum(axis=0)
        if c.src in cores.core_of and OUT in cores.share:
            start, at = np.unique(cores.core_of[c.src][sources], return_inverse=True)
            sent = np.zeros((len(start), len(begun)))
            np.add.at(sent, at, begins)
            share = cores.share[OUT][start, None] + sent / cores.task.profile.limits[OUT]
            beyond += np.maximum(share - 1, 0).sum(axis=0)
    return begun, beyond


def _partner(task: Task, population: str, core_of: Ints, neuron: int, others: list[int], core: int) -> int:
    """Choose which of ``others`` goes to a core: where fewest axons begin, of equals that with most nearly as many synapses."""
    begun, fan_in = np.zeros(len(core_of)), np.zeros(len(core_of))
    for c in task.net.into(population):
        rows, columns = task.patterns[c.name]
        reached = np.zeros(c.op.n_src, bool)
        reached[columns[core_of[rows] == core]] = True
        begun += np.bincount(rows, ~reached[columns], minlength=len(core_of))
        fan_in += c.op.fan_in()
    return min(others, key=lambda n: (begun[n], abs(fan_in[n] - fan_in[neuron])))
