"""Ways to cut a network into cores: one file each, found by name.

Each offers ``cut(task) -> Assignment``, deterministic for the task's seed; no limit of a core is exceeded, but
by a strategy that measures neurons in another order (see `snnc.mapping.repair`). It raises
DoesNotFitError if it finds none, UnsupportedError if the chip cannot express the network, MissingDependencyError if it needs a
package that is not installed. One that takes long has ``MOST_SYNAPSES``, up to which it is tried without
being named.
"""

from typing import Protocol, cast, runtime_checkable

from snnc.base import registry
from snnc.mapping.placed import Placed
from snnc.mapping.task import Assignment, Task


class Strategy(Protocol):
    """What a file in this folder offers."""

    SUMMARY: str

    def cut(self, task: Task) -> Assignment:
        """Return the core of every neuron."""


@runtime_checkable
class PlacingStrategy(Strategy, Protocol):
    """A strategy that places the cores, too."""

    def place(self, task: Task) -> Placed:
        """Return the core of every neuron and the place of every core; no limit of a core is exceeded."""


def names() -> tuple[str, ...]:
    """Return the names of all strategies."""
    return registry.STRATEGIES.names()


def most_synapses(name: str) -> int | None:
    """Return up to how many synapses a strategy is tried without being named, None for any number."""
    return cast(int | None, getattr(load(name), "MOST_SYNAPSES", None))


def load(name: str) -> Strategy:
    """Load a strategy by its name. Raises UsageError for an unknown one."""
    return cast(Strategy, registry.STRATEGIES.module(name))
