"""An assignment with the place of each core: what strategies are judged by."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from snnc.mapping.arrange import arrange, packet_hops
from snnc.mapping.census import Census
from snnc.mapping.legality import must_have_cores
from snnc.mapping.repair import repaired
from snnc.mapping.task import Assignment, Task, numbered

Ints = NDArray[np.int64]


class Placed(NamedTuple):
    """An assignment that keeps every limit of a core."""

    core_of: Assignment
    census: Census
    places: Ints  # (cores,) where each core lies

    def cost(self, task: Task, most: int) -> tuple[bool, float, int]:
        """Return what the best mapping has least of: more than ``most`` cores, packets x hops, cores."""
        return self.census.cores > most, packet_hops(task.profile, self.census, self.places), self.census.cores

    def in_order(self) -> "Placed":
        """Return the same with cores numbered in the order of their places."""
        rank = np.argsort(np.argsort(self.places))
        core_of = {name: rank[cores] for name, cores in self.core_of.items()}
        return Placed(core_of, self.census.renumbered(rank), np.sort(self.places))


def placed(task: Task, core_of: Assignment, chip_of: Assignment | None = None) -> Placed:
    """Cut the cores that are over a limit, and place all.

    ``chip_of``: population -> (n,) the chip on which neurons should lie together, if that saves packets x hops. Raises
    DoesNotFitError if a neuron is over a limit, or the cores run out.
    """
    core_of, measured = repaired(task, numbered(core_of))
    must_have_cores(task.net, measured.cores, task.profile)
    return Placed(core_of, measured, arrange(task.profile, measured, _chips(core_of, chip_of, measured.cores)))


def _chips(core_of: Assignment, chip_of: Assignment | None, cores: int) -> Ints | None:
    """Return the chip of each core, (cores,)."""
    if chip_of is None:
        return None
    chips = np.zeros(cores, np.int64)
    for name, own in core_of.items():
        chips[own] = chip_of[name]
    return chips
