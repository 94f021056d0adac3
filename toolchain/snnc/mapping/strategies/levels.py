"""Strategy `levels`: groups of neurons over chips, then over the cores of each chip, then moved across all boundaries.

It starts from `patches`. Groups are a few neighbours that lie on a core of that together. Mt-KaHyPar deals them out to chips, so
that few packets go between chips, then those of each chip to its cores. The cores are placed, and groups are moved or exchanged
between cores, of the same chip or not, as long as that saves packets x hops. The start is kept where nothing of this is better.
Axons are counted group by group, and of many a sample is kept, so that the synapses need not fit in memory. Needs the package
mtkahypar; its deterministic preset gives equal results for any number of threads.
"""

from collections.abc import Sequence
from contextlib import suppress
from math import ceil

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapping.arrange import hops, improved
from snnc.mapping.cutting.poured import packed
from snnc.mapping.cutting.spatial import renumbered, restored
from snnc.mapping.groups import Groups, together
from snnc.mapping.lower_bounds import most_cores
from snnc.mapping.moves import moved
from snnc.mapping.partitioner import library, parts, whole
from snnc.mapping.placed import Placed, placed
from snnc.mapping.repair import repaired
from snnc.mapping.task import Assignment, Task

SUMMARY = "neurons over chips, over the cores of each, then moved where that saves packets x hops (needs mtkahypar)"
MOST_SYNAPSES = 2_000_000  # of which it is tried unless it is named: it takes 100 times the processor of `greedy`
PINS = 100_000  # of the axons that a partition looks at
SLACK = 1.03  # room above that which is needed if all chips and cores fill evenly
UNITS = 10_000  # of a core's room, as weights are whole numbers
FEW = 1024  # groups up to which both the start and the levels are refined
ROUNDS = 3  # of moving groups and then swapping cores

Ints = NDArray[np.int64]


def cut(task: Task) -> Assignment:
    """Return the core of every neuron. Raises MissingDependencyError without mtkahypar."""
    return place(task).core_of


def place(task: Task) -> Placed:
    """Return the best of all levels: never more packets x hops than those of `patches`, with as many cores or 10 % more.

    Raises MissingDependencyError without mtkahypar, DoesNotFitError if `patches` finds no mapping.
    """
    library()  # before anything is cut
    spatial, orders = renumbered(task)
    start = placed(spatial, packed(spatial))
    best = _best(task, spatial, start)
    if spatial is task:
        return best
    again = [placed(task, restored(start.core_of, orders))]
    with suppress(DoesNotFitError):
        again.append(_restored(task, best, orders))
    most = max(most_cores(task), again[0].census.cores)
    return min(again, key=lambda one: one.cost(task, most))


def _restored(task: Task, one: Placed, orders: dict[str, Ints]) -> Placed:
    """Return the same of the neurons as they are numbered, placed anew if that takes more cores."""
    core_of, measured = repaired(task, restored(one.core_of, orders))
    if measured.cores == one.census.cores:
        return Placed(core_of, measured, one.places)
    return placed(task, core_of)


def _best(task: Task, spatial: Task, start: Placed) -> Placed:
    """Return the best of the start and of what is made of it."""
    if start.census.cores < 2:
        return start
    limit = task.profile.limits.get("neurons_per_core", max(p.size for p in task.net.populations))
    sizes = {p.name: together(p, limit) for p in task.net.populations}
    groups = Groups.of_assignment(spatial, start.core_of, start.census, sizes)
    most = max(most_cores(spatial), start.census.cores)
    tried = [start]
    with suppress(DoesNotFitError):
        tried.append(_in_levels(spatial, groups))
    if groups.count > FEW:
        tried = [min(tried, key=lambda one: one.cost(spatial, most))]
    for i, one in enumerate(tried):
        own = groups if groups.are_kept(one.core_of) else Groups.of_assignment(spatial, one.core_of, one.census, sizes)
        tried[i] = _refined(spatial, own, one, most)
    return min([start, *tried], key=lambda one: one.cost(spatial, most))


def _in_levels(task: Task, groups: Groups) -> Placed:
    """Return groups dealt out to chips, then those of each chip to its cores."""
    per_chip, room = task.profile.cores_per_chip, np.ceil(UNITS * groups.needs.max(axis=1)).astype(np.int64)
    chip = _dealt(groups, np.arange(groups.count), room, per_chip * UNITS, task.profile.chips, task.seed)
    core, count = np.empty_like(chip), 0
    for here in np.unique(chip):
        inside = np.flatnonzero(chip == here)
        own = _dealt(groups, inside, room[inside], UNITS, per_chip, task.seed)
        core[inside] = count + own
        count += int(own.max()) + 1
    return placed(task, groups.assignment(core), groups.assignment(chip))


def _dealt(groups: Groups, inside: Ints, room: Ints, holds: int, most: int, seed: int) -> Ints:
    """Return the part of each group ``inside``, (inside,), so that few packets leave parts, of which there are ``most`` at most.

    ``room``, (inside,): what each takes of a part, which ``holds`` so much.
    """
    room = np.maximum(1, room)
    count = min(most, ceil(SLACK * room.sum() / holds))
    if count < 2:
        return np.zeros(len(inside), np.int64)
    edges, packets = _axons_within(groups, inside, seed)
    return parts(edges, packets, room, count, holds, seed)


def _axons_within(groups: Groups, inside: Ints, seed: int) -> tuple[Sequence[Sequence[int]], list[int]]:
    """Return (groups that each axon joins, as positions in ``inside``; packets as whole numbers); of many axons a sample."""
    number = np.full(groups.count, -1)
    number[inside] = np.arange(len(inside))
    reached = [groups.into(group) for group in inside.tolist()]
    ends = np.repeat(np.arange(len(inside)), [len(axons) for axons in reached])
    axons = np.concatenate([np.zeros(0, np.int64), *reached])
    here = np.unique(axons)
    here = here[number[groups.source[here]] >= 0]
    pins = np.unique(np.concatenate([axons, here]) * len(inside) + np.concatenate([ends, number[groups.source[here]]]))
    axon, end = np.divmod(pins, len(inside))
    cuts = np.flatnonzero(np.diff(axon)) + 1
    edges, first = np.split(end, cuts), axon[np.concatenate([[0], cuts])] if len(axon) else axon
    sizes = np.array([len(edge) for edge in edges])
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(sizes > 1))
    kept = np.sort(drawn[np.cumsum(sizes[drawn]) <= PINS])
    return [edges[i].tolist() for i in kept], whole(groups.packets[first[kept]].tolist())


def _refined(task: Task, groups: Groups, one: Placed, most: int) -> Placed:
    """Move groups, then swap cores, again and again while that makes it better."""
    for _ in range(ROUNDS):
        far = hops(task.profile, one.places[:, None], one.places[None, :]).astype(np.float64)
        cores = moved(groups, groups.place_of(one.core_of), far, task.seed)
        used, cores = np.unique(cores, return_inverse=True)
        core_of, measured = repaired(task, groups.assignment(cores))
        if measured.cores > len(used):
            break
        new = Placed(core_of, measured, improved(task.profile, measured, one.places[used]))
        if new.cost(task, most) >= one.cost(task, most):
            break
        one = new
    return one
