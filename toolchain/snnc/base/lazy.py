"""Modules whose names are imported when they are first used (PEP 562): the stub beside a module says where each name lives."""

import ast
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Lazy = tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]


def exported(module: str, file: str, before: Callable[[], None] = lambda: None) -> Lazy:
    """Return `__getattr__`, `__dir__` and `__all__` of a module whose stub re-exports everything.

    Type checkers read the same stub, so that there is one list of names and no second one to hold against it.

    Args:
        module: The module's ``__name__``.
        file: Its ``__file__``; the stub is the file beside it whose name ends in .pyi.
        before: Called before a name is imported; may raise what the user is to read if a package is missing.
    """
    tree = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    statements = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    places = {alias.asname or alias.name: (node.module or "", alias.name) for node in statements for alias in node.names}

    def __getattr__(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        before()
        home, there = places[name]
        if f"{module}.{name}" in (home, f"{home}.{there}"):  # a package that can be called, or a module
            return importlib.import_module(f"{module}.{name}")
        return _member(home, there)

    names = sorted(places)
    return __getattr__, lambda: names, names


def _member(home: str, name: str) -> Any:
    """Return what a module holds under a name: an object or a module below it."""
    try:
        package = importlib.import_module(home)
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("snnc"):
            raise
        from snnc.errors import MissingDependencyError

        fix = "snnc doctor says how to install what is missing"
        raise MissingDependencyError(f"{name} needs {error.name}", fix=fix) from error
    return getattr(package, name) if hasattr(package, name) else importlib.import_module(f"{home}.{name}")
