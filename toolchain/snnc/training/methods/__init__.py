"""Pruning methods: one file each, named as the method. Adding a file adds a method."""

from typing import Any

from snnc.base import registry


def names() -> tuple[str, ...]:
    """All pruning methods, by file name; asked without loading torch."""
    return registry.METHODS.names()


def get(name: str) -> Any:
    """The optimizer class of a method. Raises ConfigError for an unknown name."""
    return registry.METHODS.module(name).METHOD
