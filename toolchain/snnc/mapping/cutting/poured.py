"""Empty cores full of neurons into the room for neurons that others leave. Part of the strategies.

What fills a core differs: synapses or axons of the one population, neurons of the other. Cut on their own, both leave a part of
their cores unused; together they fill them.
"""

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapping.census import census
from snnc.mapping.cutting.emptied import emptied
from snnc.mapping.cutting.first_fit import first_fit
from snnc.mapping.lower_bounds import most_cores
from snnc.mapping.model import Slice
from snnc.mapping.repair import repaired
from snnc.mapping.split import split
from snnc.mapping.task import Assignment, Task, cores_in, numbered

RESERVES = (0, 1 / 32)  # of everything but neurons, kept free when slices are cut; tried one after the other
PART = 1 / 16  # of a core's neurons goes to another one at least; with more parts, spikes would go to more cores


def packed(task: Task) -> Assignment:
    """Return `first_fit`; where that takes more than `most_cores`, empty cores as far as others have room or lack little."""
    most, assignment = most_cores(task), first_fit(task, task.slices)
    for reserve in RESERVES:
        if cores_in(assignment) <= most:
            break
        with suppress(DoesNotFitError):  # a single neuron needs the reserve
            cut = first_fit(task, _slices(task, reserve))
            poured, _ = repaired(task, numbered(_poured(task, cut, cores_in(cut) - most)))
            assignment = min(assignment, poured, key=cores_in)
    return emptied(task, assignment, most)


def _slices(task: Task, reserve: float) -> tuple[Slice, ...]:
    """Return slices that leave a part of everything but neurons, so that a core full of synapses has room for more neurons."""
    whole = "neurons_per_core"
    limits = {resource: n if resource == whole else n - int(reserve * n) for resource, n in task.profile.limits.items()}
    return split(task.unrolled, replace(task.profile, limits=limits))


def _poured(task: Task, core_of: Assignment, spare: int) -> Assignment:
    """Empty ``spare`` cores, or as many as others have room for; those first whose neurons need least of what comes in."""
    if spare <= 0:
        return core_of
    share, where = _shares(task, core_of), _places(core_of)
    full = [i for i in where if share[i, 0] == share[i].max()]
    full = sorted(full, key=lambda i: float(share[i, 1:-1].max(initial=0)))[:spare]
    new = {name: cores.copy() for name, cores in core_of.items()}
    places = np.array([where[i][1] if i in where else np.inf for i in range(len(share))])
    room = 1 - share
    room[full] = 0
    for i in full:
        name, place = where[i]
        neurons = np.flatnonzero(core_of[name] == i)
        takes = _takes(room, share[i] / len(neurons), len(neurons), np.abs(places - place))
        for core, part in zip(takes, np.split(neurons, np.cumsum(list(takes.values()))[:-1]), strict=False):
            new[name][part] = core
            room[core] -= share[i] * (len(part) / len(neurons))
    return new


def _takes(room: NDArray[np.float64], each: NDArray[np.float64], neurons: int, far: NDArray[np.float64]) -> dict[int, int]:
    """Return how many of ``neurons`` each core takes, the nearest first; none if not all have room. ``each``: what one needs."""
    holds = np.floor(np.divide(room, each, out=np.full(room.shape, float(neurons)), where=each > 0).min(axis=1) + 1e-9)
    takes: dict[int, int] = {}
    left = neurons
    enough = np.flatnonzero(holds >= PART * neurons)
    for core in enough[np.argsort(far[enough], kind="stable")].tolist():
        takes[core] = min(left, int(holds[core]))
        left -= takes[core]
        if not left:
            return takes
    return {}


def _shares(task: Task, core_of: Assignment) -> NDArray[np.float64]:
    """Return what each core uses of each limit, (cores, resources): of its neurons first, of its output axons last."""
    used, limits = census(task, core_of, full_cores=True).used, task.profile.amounts
    ends = ("neurons_per_core", "output_axons_per_core")
    between = [resource for resource in used if resource in limits and resource not in ends]
    return np.array([used[resource] / limits.get(resource, np.inf) for resource in (ends[0], *between, ends[1])]).T


def _places(core_of: Assignment) -> dict[int, tuple[str, float]]:
    """Return, for each core with neurons of one population, which that is and where in it they start, 0 to 1."""
    place_of: dict[int, tuple[str, float]] = {}
    several: set[int] = set()
    for name, cores in core_of.items():
        held, first = np.unique(cores, return_index=True)
        several |= place_of.keys() & set(held.tolist())
        place_of |= {core: (name, start / len(cores)) for core, start in zip(held.tolist(), first.tolist(), strict=True)}
    return {core: place for core, place in place_of.items() if core not in several}
