"""Put several slices on one core: first fit by what each uses. Part of the strategies."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.memory import INEXPRESSIBLE
from snnc.mapping.census import census
from snnc.mapping.configurations import SYNAPSES
from snnc.mapping.model import Slice
from snnc.mapping.task import Assignment, Task, of_slices


def first_fit(task: Task, slices: Sequence[Slice]) -> Assignment:
    """Put each slice, the largest first, on the first core that still has room; the order of cores is that of the slices.

    What slices use together is at most the sum of what each uses with the widest index, or of configurations what `_needed`
    says together, so that no core is over.
    """
    limits, amounts = _amounts(task, slices)
    needed = [_needed(task, core_slice) for core_slice in slices]
    share = (amounts / limits).max(axis=1, initial=0)
    used = np.zeros((len(slices), len(limits)), np.int64)  # of core i, in row i
    members: list[list[int]] = []
    held: list[dict[str, frozenset[Any]]] = []
    for i in np.argsort(-share, kind="stable").tolist():
        roomy = np.flatnonzero((used[: len(members)] + amounts[i] <= limits).all(axis=1)).tolist()
        core = next((core for core in roomy if _alike(task, held[core], needed[i])), len(members))
        if core == len(members):
            members.append([])
            held.append(needed[i])
        used[core] += amounts[i]
        members[core].append(i)
        held[core] = {resource: names | needed[i][resource] for resource, names in held[core].items()}
    ordered = sorted(map(sorted, members))
    return of_slices(task, tuple(tuple(slices[i] for i in core) for core in ordered))


def _amounts(task: Task, slices: Sequence[Slice]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (limits, (slices, limits) what each slice uses of a core that it shares)."""
    alone = census(task, of_slices(task, tuple((core_slice,) for core_slice in slices)), full_cores=True).used
    resources = [resource for resource in task.profile.amounts if resource in alone]
    limits = np.array([task.profile.limits[resource] for resource in resources], np.int64)
    return limits, np.array([alone[resource] for resource in resources], np.int64).reshape(len(resources), len(slices)).T


def _needed(task: Task, core_slice: Slice) -> dict[str, frozenset[Any]]:
    """Return the configurations that a slice needs, by resource; of synapses at most so many."""
    here = slice(core_slice.start, core_slice.stop)
    configurations = {
        r: frozenset(np.unique(n[core_slice.population][here]).tolist()) for r, n in task.neuron_configurations.items()
    }
    of_synapses = [task.synapses_at_most[c.name] for c in task.net.into(core_slice.population)]
    return {**configurations, SYNAPSES: frozenset().union(*of_synapses)}


def _alike(task: Task, held: Mapping[str, frozenset[Any]], needed: Mapping[str, frozenset[Any]]) -> bool:
    """Tell whether a core has configurations for both."""
    limits = task.profile.limits
    return all(len(names | needed[resource]) <= limits.get(resource, INEXPRESSIBLE) for resource, names in held.items())
