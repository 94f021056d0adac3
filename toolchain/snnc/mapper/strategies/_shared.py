"""Several slices on one core: first fit by what each uses. Part of the strategies."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapper.census import census
from snnc.mapper.task import Assignment, Task, of_slices
from snnc.mapping import Slice


def first_fit(task: Task, slices: Sequence[Slice]) -> Assignment:
    """Each slice, the largest first, on the first core that still has room; the order of cores is that of the slices.

    What slices use together is at most the sum of what each uses with the widest index, so that no core is over.
    """
    limits, amounts = _amounts(task, slices)
    share = (amounts / limits).max(axis=1, initial=0)
    used = np.zeros((len(slices), len(limits)), np.int64)  # of core i, in row i
    members: list[list[int]] = []
    for i in np.argsort(-share, kind="stable").tolist():
        fits = (used[: len(members)] + amounts[i] <= limits).all(axis=1)
        core = int(fits.argmax()) if fits.any() else len(members)
        if core == len(members):
            members.append([])
        used[core] += amounts[i]
        members[core].append(i)
    ordered = sorted(map(sorted, members))
    return of_slices(task, tuple(tuple(slices[i] for i in core) for core in ordered))


def _amounts(task: Task, slices: Sequence[Slice]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(limits, (slices, limits) what each slice uses of a core that it shares)."""
    alone = census(task, of_slices(task, tuple((piece,) for piece in slices)), full_cores=True).used
    resources = [resource for resource in task.profile.limits if resource in alone]
    limits = np.array([task.profile.limits[resource] for resource in resources], np.int64)
    return limits, np.array([alone[resource] for resource in resources], np.int64).reshape(len(resources), len(slices)).T


def repaired(task: Task, core_of: Assignment) -> Assignment:
    """The assignment with each core that is over a limit cut in two, again and again until none is.

    Raises DoesNotFitError if a single neuron is over a limit.
    """
    while True:
        found = census(task, core_of)
        limits = task.profile.limits
        over = np.any([found.used[r] > limit for r, limit in limits.items() if r in found.used], axis=0)
        if not np.any(over):
            return core_of
        if alone := [i for i in np.flatnonzero(over) if found.used["neurons_per_core"][i] == 1]:
            raise DoesNotFitError(
                f"{len(alone)} neurons need more than a core of {task.profile.name} has",
                where=f"network {task.net.name!r}",
                fix="`snnc check` says which, and what would help",
            )
        core_of = _halved(core_of, over)


def _halved(core_of: Assignment, over: NDArray[np.bool_]) -> Assignment:
    """The second half of the neurons of each core that is ``over``, in order, goes to a new core."""
    every = np.concatenate(list(core_of.values()))
    new = every.copy()
    for i, core in enumerate(np.flatnonzero(over)):
        mine = np.flatnonzero(every == core)
        new[mine[len(mine) // 2 :]] = len(over) + i
    return dict(zip(core_of, np.split(new, np.cumsum([len(cores) for cores in core_of.values()])[:-1]), strict=True))
