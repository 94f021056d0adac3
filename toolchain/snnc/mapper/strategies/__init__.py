"""Ways to cut a network into cores: one file each, found by name. Part of mapper.

Each offers ``cut(task) -> Assignment``, deterministic for the task's seed; no limit of a core is exceeded. It raises
DoesNotFitError if it finds none, UnsupportedError if the chip cannot express the network, MissingDependencyError if it needs a
package that is not installed.
"""

import importlib
import pkgutil
from functools import cache
from typing import Protocol, cast

from snnc.errors import UsageError, nearest
from snnc.mapper.task import Assignment, Task


class Strategy(Protocol):
    """What a file in this folder offers."""

    SUMMARY: str

    def cut(self, task: Task) -> Assignment:
        """The core of every neuron."""


@cache
def names() -> tuple[str, ...]:
    """All strategies, by file name."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def load(name: str) -> Strategy:
    """A strategy by its name. Raises UsageError for an unknown one."""
    if name not in names():
        raise UsageError(f"no strategy {name!r}", fix=nearest(name, names()))
    return cast(Strategy, importlib.import_module(f"{__name__}.{name}"))
