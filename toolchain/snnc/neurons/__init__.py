"""Neuron models: one file each, named as the model. Adding a file adds a model."""

import importlib
import pkgutil
from functools import cache

from snnc.errors import UnsupportedError, nearest
from snnc.neurons._base import Neuron


@cache
def names() -> tuple[str, ...]:
    """All neuron models, by file name."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get(name: str) -> type[Neuron]:
    """The class of a neuron model. Raises UnsupportedError for an unknown name."""
    if name not in names():
        raise UnsupportedError(f"no neuron model {name!r}", fix=nearest(name, names()))
    found: type[Neuron] = importlib.import_module(f"{__name__}.{name}").MODEL
    return found
