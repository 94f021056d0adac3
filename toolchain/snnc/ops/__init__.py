"""Operators: what a connection does to the messages that enter it. One file each, named as the kind."""

from snnc.base import registry
from snnc.errors import UnsupportedError
from snnc.network.op import Op


def kinds() -> tuple[str, ...]:
    """All kinds of operators, by file name."""
    return registry.names(__name__)


def get(kind: str) -> type[Op]:
    """The class of a kind of operators. Raises UnsupportedError for an unknown one."""
    found: type[Op] = registry.module(__name__, kind, UnsupportedError, "operator").OP
    return found
