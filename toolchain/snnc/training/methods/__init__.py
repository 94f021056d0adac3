"""Pruning methods: one file each, named as the method. Adding a file adds a method."""

import importlib
import pkgutil
from functools import cache
from typing import Any

from snnc.errors import ConfigError, nearest


@cache
def names() -> tuple[str, ...]:
    """All pruning methods, by file name; asked without loading torch."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get(name: str) -> Any:
    """The optimizer class of a method. Raises ConfigError for an unknown name."""
    if name not in names():
        raise ConfigError(f"no pruning method {name!r}", fix=nearest(name, names()))
    return importlib.import_module(f"{__name__}.{name}").METHOD
