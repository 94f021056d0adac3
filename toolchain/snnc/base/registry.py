"""Modules by the names of their files: what adds a neuron, an operator, a target, ... by a new file alone. Used by all stages."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from snnc.errors import SnncError, nearest


@cache
def names(package: str) -> tuple[str, ...]:
    """Return the public modules of a package, sorted; none of them is imported."""
    path = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))


def module(package: str, name: str, unknown: type[SnncError], kind: str) -> ModuleType:
    """Import the module of this name. Raises ``unknown`` if there is none; the message suggests the closest name."""
    if name not in names(package):
        raise unknown(f"no {kind} {name!r}", fix=nearest(str(name), names(package)))
    return importlib.import_module(f"{package}.{name}")
