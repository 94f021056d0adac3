"""Packages that are functions, too: `snnc.chips` holds the profiles, and ``snnc.chips()`` lists them."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(package: str, function: Callable[..., Any]) -> None:
    """Let a package be called as ``function``.

    A package of snnc and a function of its public API may have one name; Python knows one attribute of that name. The class
    of a module may be replaced for such a purpose (Python's reference, "Customizing module attribute access").
    """
    kind = type("CallablePackage", (ModuleType,), {"__call__": staticmethod(function), "__doc__": function.__doc__})
    sys.modules[package].__class__ = kind
