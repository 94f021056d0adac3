"""Strategy `levels`: cores over chips, groups over the cores of each chip, then groups moved across all boundaries.

It starts from `patches`. Mt-KaHyPar deals the cores of that out to chips, so that few packets go between chips, then the
neurons of each chip to its cores, a few neighbours at a time. The cores are placed, and groups are moved or exchanged between
cores, of the same chip or not, as long as that saves packets x hops. The start is kept where nothing of this is better. Axons
are counted group by group, and of many a sample is kept, so that the synapses need not fit in memory. Needs the package
mtkahypar; its deterministic preset gives equal results for any number of threads.
"""

from collections.abc import Sequence
from contextlib import suppress
from math import ceil

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapping.arrange import hops, improved
from snnc.mapping.census import Census
from snnc.mapping.cutting.poured import packed
from snnc.mapping.cutting.spatial import renumbered, restored
from snnc.mapping.groups import Groups, together
from snnc.mapping.lower_bounds import most_cores
from snnc.mapping.moves import moved
from snnc.mapping.partitioner import library, parts, whole
from snnc.mapping.placed import Placed, placed
from snnc.mapping.repair import repaired
from snnc.mapping.task import Assignment, Task

SUMMARY = "cores over chips, neurons over the cores of each, then moved where that saves packets x hops (needs mtkahypar)"
LINKS = 500_000  # between cores that the partition into chips looks at, those of most packets
PINS = 100_000  # of the axons that the partition of a chip looks at
SLACK = 1.03  # cores of a chip above those that are needed if all fill evenly
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
        tried.append(_in_levels(spatial, start, groups))
    if groups.count > FEW:
        tried = [min(tried, key=lambda one: one.cost(spatial, most))]
    for i, one in enumerate(tried):
        own = groups if groups.are_kept(one.core_of) else Groups.of_assignment(spatial, one.core_of, one.census, sizes)
        tried[i] = _refined(spatial, own, one, most)
    return min([start, *tried], key=lambda one: one.cost(spatial, most))


def _in_levels(task: Task, start: Placed, groups: Groups) -> Placed:
    """Return groups dealt out to chips, as the cores of the start that they are on, then to the cores of each chip."""
    per_chip = task.profile.cores_per_chip
    core = groups.place_of(start.core_of)
    chip = _chips(start.census, per_chip, task.seed)[core]
    room = np.maximum(1, np.ceil(UNITS * groups.needs.max(axis=1))).astype(np.int64)
    new, count = np.empty_like(core), 0
    for here in np.unique(chip):
        inside = np.flatnonzero(chip == here)
        cores = min(per_chip, ceil(SLACK * room[inside].sum() / UNITS))
        edges, packets = _axons_within(groups, inside, task.seed)
        new[inside] = count + (parts(edges, packets, room[inside], cores, UNITS, task.seed) if cores > 1 else 0)
        count += cores
    return placed(task, groups.assignment(new), groups.assignment(chip))


def _chips(census: Census, per_chip: int, seed: int) -> Ints:
    """Return a chip for each core, (cores,), so that few packets go between chips, on as few chips as there can be."""
    count = ceil(census.cores / per_chip)
    if count == 1:
        return np.zeros(census.cores, np.int64)
    src, dst, packets = census.links
    pair = np.minimum(src, dst) * census.cores + np.maximum(src, dst)
    pairs, which = np.unique(pair, return_inverse=True)
    both = np.bincount(which, packets)
    heaviest = np.sort(np.argsort(-both, kind="stable")[:LINKS])
    edges = np.stack(np.divmod(pairs[heaviest], census.cores), axis=1).tolist()
    return parts(edges, whole(both[heaviest].tolist()), np.ones(census.cores, np.int64), count, per_chip, seed)


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
