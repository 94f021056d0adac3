"""Operators: what a connection does to the messages that enter it. One file each, named as the kind."""

from snnc.base import registry
from snnc.network.op import Op


def kinds() -> tuple[str, ...]:
    """All kinds of operators, by file name."""
    return registry.OPERATORS.names()


def working() -> tuple[str, ...]:
    """Return the kinds of operators that can be loaded."""
    return registry.OPERATORS.working()


def remedy(kind: str) -> str:
    """Return what to do where a kind of operators cannot be computed, as the end of a sentence; empty if nothing is known."""
    known = get(kind).remedy if kind in kinds() else ""
    return f"; {known}" if known else ""


def get(kind: str) -> type[Op]:
    """The class of a kind of operators. Raises UnsupportedError for an unknown one."""
    op: type[Op] = registry.OPERATORS.module(kind).OP
    return op
