"""Neuron models: one file each, named as the model. Adding a file adds a model."""

from functools import cache
from types import ModuleType

from snnc.base import registry
from snnc.base.callable import make_callable
from snnc.network.neuron import Neuron
from snnc.network.probe import probe


def names() -> tuple[str, ...]:
    """List the neuron models.

    Returns:
        Their names, sorted.

    Examples:
        >>> import snnc
        >>> "lif" in snnc.neurons()
        True
    """
    return registry.NEURONS.names()


def working() -> tuple[str, ...]:
    """Return the neuron models that can be loaded."""
    return registry.NEURONS.working()


def get(name: str) -> type[Neuron]:
    """Return the class of a neuron model.

    Raises UnsupportedError for an unknown name, PluginError for one of another distribution that does not work, or whose rule
    says otherwise than its step does.
    """
    found: type[Neuron] = registry.NEURONS.module(name).MODEL
    return found


@cache
def _probed(module: ModuleType) -> tuple[str, ...]:
    """Return what the rule of a module's model says otherwise than its step does."""
    return tuple(probe(module.MODEL))


registry.NEURONS.checks.append(_probed)
make_callable(__name__, names)
