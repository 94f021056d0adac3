"""Pruning methods: one file each, named as the method. Adding a file adds a method."""

from typing import Any

from snnc.base import registry
from snnc.errors import ConfigError


def names() -> tuple[str, ...]:
    """All pruning methods, by file name; asked without loading torch."""
    return registry.names(__name__)


def get(name: str) -> Any:
    """The optimizer class of a method. Raises ConfigError for an unknown name."""
    return registry.module(__name__, name, ConfigError, "pruning method").METHOD
