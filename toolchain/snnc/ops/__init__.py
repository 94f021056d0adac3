"""Operators: what a connection does to the messages that enter it. One file each, named as the kind."""

import importlib
import pkgutil
from functools import cache

from snnc.errors import UnsupportedError, nearest
from snnc.ops._base import Op


@cache
def kinds() -> tuple[str, ...]:
    """All kinds of operators, by file name."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))


def get(kind: str) -> type[Op]:
    """The class of a kind of operators. Raises UnsupportedError for an unknown one."""
    if kind not in kinds():
        raise UnsupportedError(f"no operator {kind!r}", fix=nearest(str(kind), kinds()))
    found: type[Op] = importlib.import_module(f"{__name__}.{kind}").OP
    return found
