"""Map a network by one strategy, or by all and take the best. After quantise, before export."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DoesNotFitError, MissingDependencyError, SnncError, UsageError
from snnc.mapping import strategies
from snnc.mapping.arrange import busiest_link, packet_hops
from snnc.mapping.census import Census, census
from snnc.mapping.legality import must_be_legal, must_have_cores
from snnc.mapping.lower_bounds import cores_at_least, most_cores
from snnc.mapping.model import Core, CoreMap
from snnc.mapping.output_axons import all_off_chip, hang_on_chips
from snnc.mapping.placed import Placed, placed
from snnc.mapping.repair import over_limits, repaired
from snnc.mapping.strategies import PlacingStrategy, Strategy
from snnc.mapping.task import Assignment, Task, numbered, slices_of


@dataclass(frozen=True, eq=False)
class Mapped:
    """A legal mapping, and what it costs."""

    mapping: CoreMap
    census: Census  # of its cores, in their order
    places: NDArray[np.int64]  # (cores,) where each lies; its index
    packet_hops: float
    seconds: float

    @property
    def cores(self) -> int:
        return len(self.mapping.cores)

    @cached_property
    def busiest_link(self) -> float:
        """Packets of one inference, both ways together."""
        return busiest_link(self.mapping.chip, self.census, self.places)

    @property
    def busiest_operations(self) -> float:
        return float(self.census.operations.max())


def map_by(task: Task, strategy: str) -> Mapped:
    """Cut, place, measure, and hold against every limit.

    The cores are in ascending order of their index, which is their place on the chip. Raises DoesNotFitError if a limit is
    exceeded, UsageError for an unknown strategy, MissingDependencyError if it needs a package that is not installed.
    """
    start = perf_counter()
    core_of, measured, places = _placed_on_chips(task, strategies.load(strategy))
    cores = cores_of(core_of, measured, places)
    must_be_legal(task.net, cores, task.profile)
    mapping = CoreMap(task.profile, task.seed, cores, strategy)
    return Mapped(mapping, measured, places, packet_hops(task.profile, measured, places), perf_counter() - start)


def _placed(task: Task, strategy: Strategy) -> Placed:
    """Return what the strategy makes, with its cores in the order of their places."""
    if isinstance(strategy, PlacingStrategy):
        return strategy.place(task).in_order()
    return placed(task, strategy.cut(task)).in_order()


def _placed_on_chips(task: Task, strategy: Strategy) -> Placed:
    """Return as `_placed`, for chips on which axons to other chips take more slots.

    The network is cut as if all axons led to other chips, unless one chip may do and does. Where that does not fit, the cores
    lie on the chips in order, as those of `snnc check` do.
    """
    if not hang_on_chips(task.profile):
        return _placed(task, strategy)
    if cores_at_least(task) <= task.profile.cores_per_chip:
        core_of, _, places = _placed(task, strategy)
        measured = census(task, core_of, places=places)
        if not over_limits(task, measured).any():
            return Placed(core_of, measured, places)
    try:
        core_of, _, places = _placed(replace(task, profile=all_off_chip(task.profile)), strategy)
    except DoesNotFitError:
        core_of, measured = repaired(task, numbered(strategy.cut(task)))
        must_have_cores(task.net, measured.cores, task.profile)
        places = np.arange(measured.cores)
    return Placed(core_of, census(task, core_of, places=places), places)


def map_by_all(task: Task, names: Sequence[str] | None = None) -> tuple[list[Mapped], dict[str, str]]:
    """Return (the mappings, the best first; strategy -> why it made none).

    Without ``names``, all are tried but those that would take minutes for so many synapses. Raises what the first strategy
    raised if none made any.
    """
    made: list[Mapped] = []
    failed: dict[str, SnncError] = {} if names else _too_slow(task)
    for name in names or strategies.names():
        if name in failed:
            continue
        try:
            made.append(map_by(task, name))
        except (DoesNotFitError, MissingDependencyError) as error:
            failed[name] = error
    if not made:
        raise next(iter(failed.values()))
    most = max(most_cores(task), min(m.cores for m in made))
    made.sort(key=lambda m: (m.cores > most, m.packet_hops, m.cores, m.mapping.strategy))
    return made, {name: str(error) for name, error in failed.items()}


def _too_slow(task: Task) -> dict[str, SnncError]:
    """Return the strategies that are not tried for so many synapses unless they are named, and why."""
    synapses = sum(c.op.synapse_count for c in task.net.connections)
    most = {name: strategies.most_synapses(name) for name in strategies.names()}
    return {
        name: UsageError(
            f"{synapses:,} synapses, tried up to {limit:,}, as it takes long", fix=f"name it to try it: --strategy {name}"
        )
        for name, limit in most.items()
        if limit is not None and synapses > limit
    }


def cores_of(core_of: Assignment, measured: Census, places: NDArray[np.int64]) -> tuple[Core, ...]:
    """Return the cores of an assignment with what they use; ``places``: (cores,) their indices on the chip."""
    slices = slices_of(core_of, measured.cores)
    return tuple(
        Core(
            index=int(places[i]),
            slices=slices[i],
            used={resource: int(amounts[i]) for resource, amounts in measured.used.items()},
            formats={name: stored_as for name, by_core in measured.formats.items() if (stored_as := by_core[i]) is not None},
        )
        for i in range(measured.cores)
    )
