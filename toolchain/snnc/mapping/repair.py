"""Cut cores that are over a limit until none is."""

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError
from snnc.mapping.census import Census, census
from snnc.mapping.task import Assignment, Task, by_population


def repaired(task: Task, core_of: Assignment) -> tuple[Assignment, Census]:
    """Cut each core that is over a limit in two, again and again until none is; return the assignment and its census.

    A strategy that numbers the neurons of a core in another order has measured other gaps between them, where the chip's
    memory goes by gaps. Raises DoesNotFitError if a single neuron is over a limit.
    """
    while True:
        measured = census(task, core_of)
        if not (over := over_limits(task, measured)).any():
            return core_of, measured
        core_of = _halved(task, core_of, over)


def over_limits(task: Task, census: Census) -> NDArray[np.bool_]:
    """Return which cores are over a limit: shape (cores,)."""
    limits = task.profile.limits
    over = [census.used[resource] > limit for resource, limit in limits.items() if resource in census.used]
    over_any: NDArray[np.bool_] = np.any([np.zeros(census.cores, np.bool_), *over], axis=0)
    return over_any


def _halved(task: Task, core_of: Assignment, over: NDArray[np.bool_]) -> Assignment:
    """Move the second half of the neurons of each core that is ``over``, in order, to a new core.

    Raises DoesNotFitError if one of them has a single neuron.
    """
    every = np.concatenate(list(core_of.values()))
    if alone := np.count_nonzero(np.bincount(every)[over] == 1):
        raise DoesNotFitError(
            f"{alone} neurons need more than a core of {task.profile.name} has",
            where=f"network {task.net.name!r}",
            fix="`snnc check` says which, and what would help",
        )
    new = every.copy()
    for i, core in enumerate(np.flatnonzero(over)):
        mine = np.flatnonzero(every == core)
        new[mine[len(mine) // 2 :]] = len(over) + i
    return by_population(core_of, new)
