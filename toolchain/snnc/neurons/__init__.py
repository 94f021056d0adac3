"""Neuron models: one file each, named as the model. Adding a file adds a model."""

from snnc.base import registry
from snnc.errors import UnsupportedError
from snnc.network.neuron import Neuron


def names() -> tuple[str, ...]:
    """All neuron models, by file name."""
    return registry.names(__name__)


def get(name: str) -> type[Neuron]:
    """The class of a neuron model. Raises UnsupportedError for an unknown name."""
    found: type[Neuron] = registry.module(__name__, name, UnsupportedError, "neuron model").MODEL
    return found
