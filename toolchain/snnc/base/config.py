"""Settings of a stage: frozen dataclasses whose fields are the options of the command line and the keys of a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from math import isfinite
from pathlib import Path
from stat import S_ISREG
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from snnc.errors import ConfigError, FileError, nearest

T = TypeVar("T")
MAX_CONFIG_BYTES = 1 << 20
MAX_DOTS = 200  # in a line
_WORDS = {int: "whole number", float: "number", bool: "switch (true or false)", str: "text", Path: "path"}


def setting(default: Any, help: str, *, flags: tuple[str, ...] = (), low: float | None = None, high: float | None = None) -> Any:
    """Declare a field of a configuration: its default, its help text, further flags, and the range of its numbers."""
    return field(default=default, metadata={"help": help, "flags": flags, "low": low, "high": high})


@dataclass(frozen=True)
class Config:
    """Base of all configurations: checks the range and the choices of every field."""

    def __post_init__(self) -> None:
        for f in fields(self):
            hint, value = kind(type(self), f), _plain(getattr(self, f.name))
            object.__setattr__(self, f.name, Path(value) if hint is Path and isinstance(value, str) else value)
            _check_value(f, hint, getattr(self, f.name))


def kind(cls: type[Config], f: Field[Any]) -> Any:
    """Return the type of a field without its ``| None``; a Literal stays one."""
    hint = get_type_hints(cls)[f.name]
    if get_origin(hint) in (Union, UnionType):
        return next(a for a in get_args(hint) if a is not NoneType)
    return hint


def from_table(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Return a configuration from a TOML table. Raises ConfigError that names the key, with the nearest known one."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise ConfigError(f"unknown key {key!r}", where=where, fix=nearest(key, list(known)))
    try:
        return cls(**table)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, fix=error.fix) from error


def config_of(cls: type[T], config: T | None, given: Mapping[str, Any]) -> T:
    """Return ``config``, or one made of keywords. Raises ConfigError for an unknown or impossible one, or if both are given."""
    if config is not None and given:
        raise ConfigError(f"{', '.join(given)} given beside config", fix=f"put them into the {cls.__name__}")
    return config if config is not None else from_table(cls, given, "")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file as a dict. Raises FileError if it is missing or too large, ConfigError if it is not TOML."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise FileError("is no regular file", where=str(path), fix="name a TOML file")
        if status.st_size > MAX_CONFIG_BYTES:
            raise FileError(f"has {status.st_size} bytes, a configuration has at most {MAX_CONFIG_BYTES}", where=str(path))
        return tomllib.loads(_of_short_keys(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}", where=str(path), fix="check the path") from error
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, or a number of thousands of digits
        raise ConfigError(f"is not TOML: {error}", where=str(path)) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", where=str(path)) from error


def _of_short_keys(text: str) -> str:
    """Return a TOML text. Raises ValueError for a line of too many dots: each part of a dotted key nests a table, which takes the
    parser time and memory by the square."""
    for number, line in enumerate(text.split("\n"), 1):
        if (dots := line.count(".")) > MAX_DOTS:
            raise ValueError(f"line {number} has {dots:,} dots, at most {MAX_DOTS} are read; write long lists on several lines")
    return text


def _plain(value: Any) -> Any:
    """Return a value as TOML holds it: numbers of NumPy as Python's, a list or an array as a tuple."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return tuple(item.item() if isinstance(item, np.generic) else item for item in value)
    return value


def _check_value(f: Field[Any], hint: Any, value: Any) -> None:
    if value is None and f.default is None:
        return
    listed = get_origin(hint) is tuple
    if listed and not isinstance(value, tuple):
        example = ", ".join(map(str, f.default))  # type: ignore[arg-type]
        raise ConfigError(f"{f.name} = {value!r} is no list", fix=f"write a list such as [{example}]")
    for item in value if listed else (value,):
        _check_item(f, get_args(hint)[0] if listed else hint, item)


def _check_item(f: Field[Any], hint: Any, value: Any) -> None:
    """Check a single value, or one of a list. Numbers are finite and within their range, and true is no number."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{f.name} = {value!r} is not possible", fix=f"use one of: {', '.join(map(str, get_args(hint)))}")
        return
    fits = isinstance(value, (int, float) if hint is float else hint) and (hint is bool) == isinstance(value, bool)
    if not fits:
        raise ConfigError(f"{f.name} = {value!r} is no {_WORDS[hint]}", fix=f"{f.name}: {f.metadata['help']}")
    if hint is float and not isfinite(value):
        raise ConfigError(f"{f.name} = {value!r} is not finite", fix=f"{f.name}: {f.metadata['help']}")
    low, high = f.metadata["low"], f.metadata["high"]
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        raise ConfigError(
            f"{f.name} = {value!r} is out of range",
            fix=f"use {low} to {high}" if high is not None else f"use {low} or more",
        )
