"""Neuron models: one file each, named as the model. Adding a file adds a model."""

from snnc.base import registry
from snnc.base.callable import make_callable
from snnc.network.neuron import Neuron


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
    """The class of a neuron model. Raises UnsupportedError for an unknown name."""
    found: type[Neuron] = registry.NEURONS.module(name).MODEL
    return found


make_callable(__name__, names)
