"""Pruning methods: one file each, named like the method. Adding a file adds a method."""

from typing import Any

from snnc.base import registry


def names() -> tuple[str, ...]:
    """List all pruning methods, by file name, without loading torch."""
    return registry.METHODS.names()


def get(name: str) -> Any:
    """Return the optimizer class of a method. Raises ConfigError for an unknown name."""
    return registry.METHODS.module(name).METHOD
