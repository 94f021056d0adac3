"""Functions of the public API: their arguments are held against their signatures, and their errors name arguments.

The hints of a signature say what each argument may be, once: `public` refuses anything else in one sentence. Messages inside snnc
name options as the command line does (``--hw``); an error that leaves a public function names the arguments of that function
(``chip=``), and keeps the options for the command line in ``as_options``.
"""

import inspect
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cached_property, wraps
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from snnc.errors import SnncError, UsageError

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = {  # option -> the arguments that it may stand for, where that is not its own name
    "hw": ("chip",), "out": ("keep", "path"), "timeout": ("timeout_s",), "data-dir": ("folder",), "engine": ("by",),
    "random": ("noise",), "from": ("format",), "fit": ("goal",), "mapping": ("mapping",),
}  # fmt: skip
_VALUE = r"[ =]([\w.:=/-]+)(?=$|[,;)]| or | --| \()"  # where it ends a clause
_OPTION = re.compile(rf"(?<![\w-])--([a-z][a-z-]*)(?:{_VALUE})?")
_COMMAND = re.compile(r"((?:snnc|pip) [a-z]+[^;,()]*)")
_NUMBER = re.compile(r"[\d.]+(e-?\d+)?")
_SHOWN = 60  # characters of a value


class From:
    """The least that a number may be, beside its type in a hint."""

    def __init__(self, low: float, *, above: bool = False) -> None:
        self.low, self.above = low, above

    def holds(self, value: Any) -> bool:
        """Return whether a number is large enough."""
        return bool(value > self.low if self.above else value >= self.low)

    def __str__(self) -> str:
        return f" above {self.low:g}" if self.above else f" from {self.low:g} on"


Seed = Annotated[int, From(0)]
Times = Annotated[int, From(0)]
Count = Annotated[int, From(1)]
Seconds = Annotated[float, From(0, above=True)]


def public(function: F) -> F:
    """Return a function of the API that refuses arguments of another type than its hints say, and names arguments in errors.

    A hint that only type checkers can resolve is not held against anything: the function itself looks at that argument.
    Numbers of NumPy are taken as Python's. Raises UsageError.
    """
    signature = _Signature(function)

    @wraps(function)
    def checked(*positional: Any, **named: Any) -> Any:
        try:
            bound = signature.bound.bind(*positional, **named)
        except TypeError:  # an argument that there is not, or too few: Python's own sentence names the function
            return function(*positional, **named)
        try:
            for name, hint in signature.hints.items():
                if name in bound.arguments:
                    bound.arguments[name] = taken(name, bound.arguments[name], hint)
            return function(*bound.args, **bound.kwargs)
        except SnncError as error:
            error.as_options = error.as_options or (error.what, error.where, error.fix)
            what, where, fix = (named_by_argument(text, signature.names) for text in (error.what, error.where, error.fix))
            error.what, error.where, error.fix = what, where, fix
            raise

    return checked  # type: ignore[return-value]


class _Signature:
    """What the hints of a function say; they are resolved at the first call, when all of its module is there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.bound = inspect.signature(function)

    @cached_property
    def hints(self) -> Mapping[str, Any]:
        """Return the hints of the arguments that have a name each, as far as they can be resolved."""
        variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        return {
            name: hint
            for name, parameter in self.bound.parameters.items()
            if parameter.kind not in variable and (hint := self._hint(parameter.annotation)) is not inspect.Parameter.empty
        }

    def _hint(self, annotation: Any) -> Any:
        if not isinstance(annotation, str):
            return annotation
        try:
            holder = types.SimpleNamespace(__annotations__={"hint": annotation})
            return get_type_hints(holder, self.function.__globals__, include_extras=True)["hint"]
        except NameError:
            return inspect.Parameter.empty

    @cached_property
    def names(self) -> Mapping[str, tuple[str, Any]]:
        """Return the argument, with its hint, an option stands for: its own arguments, and fields of its configurations."""
        flags: dict[str, tuple[str, Any]] = {}
        own: dict[str, Any] = {name: self.hints.get(name) for name in self.bound.parameters}
        for kind in (kind for hint in self.hints.values() for kind in (hint, *get_args(hint))):
            if isinstance(kind, type) and is_dataclass(kind) and kind.__name__.endswith("Config"):
                own |= {f.name: f.type for f in fields(kind)}
                flags |= {
                    flag[2:]: (f.name, f.type) for f in fields(kind) for flag in f.metadata.get("flags", ()) if len(flag) > 2
                }
        named = {name.replace("_", "-"): (name, hint) for name, hint in own.items()}
        renamed = {option: (name, own[name]) for option, names in OPTIONS.items() for name in names if name in own}
        return {**renamed, **flags, **named}


def named_by_argument(text: str, names: Mapping[str, tuple[str, Any]]) -> str:
    """Return a message in which options are named as arguments, ``--hw`` as ``chip=``; whole commands stay as they are."""
    parts = _COMMAND.split(text)
    return "".join(part if i % 2 else _OPTION.sub(lambda m: _argument(m, names), part) for i, part in enumerate(parts))


def _argument(match: re.Match[str], names: Mapping[str, tuple[str, Any]]) -> str:
    option, value = match[1], match[2]
    if option not in names:
        return match[0]
    name, hint = names[option]
    if hint in (bool, "bool"):
        return f"{name}=True{match[0].removeprefix(f'--{option}')}"
    if value is None:
        return f"{name}="
    return f"{name}={value if _NUMBER.fullmatch(value) else repr(value)}"


def taken(name: str, value: Any, hint: Any) -> Any:
    """Return an argument as the function takes it. Raises UsageError, or what the hinted class raises of its own, for another."""
    plain = value.item() if isinstance(value, np.generic) else value
    if fits(plain, hint):
        return plain if isinstance(plain, int | float | bool | str) else value
    if must_be := _own_refusal(hint):
        must_be(value)
    says = f"is no {_listed(words(hint))}"
    error = UsageError(f"{name}={_shown(value)} {says}")
    option = next((option for option, names in OPTIONS.items() if name in names), name.replace("_", "-"))
    error.as_options = (f"--{option} {_shown(value)} {says}", "", "")
    raise error


def _own_refusal(hint: Any) -> Callable[[Any], None] | None:
    """Return what refuses a value in words of its own: that of a class, or of an `Annotated` hint, alone or one of several."""
    if refusal := getattr(hint, "must_be", None):
        return refusal  # type: ignore[no-any-return]
    hints = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    alone = [one for one in hints if one is not type(None)]
    if len(alone) == 1 and alone[0] is not hint:
        return _own_refusal(alone[0])
    return next((x for one in hints for x in getattr(one, "__metadata__", ()) if callable(x)), None)


def _listed(kinds: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))


def fits(value: Any, hint: Any) -> bool:
    """Return whether a value is what a hint says; of containers and functions the kind alone is looked at."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return fits(value, inner[0]) and all(x.holds(value) for x in hint.__metadata__ if isinstance(x, From))
    if origin in (Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    kind = origin or hint
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    if kind is Path:
        return isinstance(value, PathLike)
    if kind is np.ndarray:
        return isinstance(value, np.ndarray | Sequence) and not isinstance(value, str)
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    return not isinstance(kind, type) or isinstance(value, kind)


def words(hint: Any) -> list[str]:
    """Return what a hint is called in messages, a word or two for each of its kinds."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        least = "".join(str(x) for x in hint.__metadata__ if isinstance(x, From))
        return [word + least for word in words(inner[0])]
    if origin in (Union, types.UnionType):
        return list(dict.fromkeys(word for one in inner if one is not type(None) for word in words(one)))
    if origin is Literal:
        return [" or ".join(map(repr, inner))]
    known = {
        int: "whole number", float: "number", bool: "bool", str: "text", Path: "path", np.ndarray: "array",
        Callable: "function", Mapping: "mapping",
    }  # fmt: skip
    kind = origin or hint
    return [known.get(kind, getattr(kind, "__name__", str(kind)))]


def _shown(value: Any) -> str:
    """Return a value as a message shows it: numbers and short texts as they are, others by their type."""
    if value is None or isinstance(value, str | int | float):
        return text if len(text := repr(value)) <= _SHOWN else f"{text[:_SHOWN]}..."
    return type(value).__name__
