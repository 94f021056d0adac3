"""Cores over a limit, cut until none is. Part of mapper."""

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapper.census import Census, census
from snnc.mapper.task import Assignment, Task


def repaired(task: Task, core_of: Assignment) -> tuple[Assignment, Census]:
    """The assignment with each core that is over a limit cut in two, again and again until none is, and its census.

    A strategy that numbers the neurons of a core in another order has measured other gaps between them, where the chip's
    memory goes by gaps. Raises DoesNotFitError if a single neuron is over a limit.
    """
    while True:
        found = census(task, core_of)
        limits = task.profile.limits
        over = np.any([found.used[r] > limit for r, limit in limits.items() if r in found.used], axis=0)
        if not np.any(over):
            return core_of, found
        neurons = np.bincount(np.concatenate(list(core_of.values())))
        if alone := [i for i in np.flatnonzero(over) if neurons[i] == 1]:
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
