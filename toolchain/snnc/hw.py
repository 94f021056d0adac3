"""Hardware profiles: what a chip can hold and compute, from a TOML file. Read by quantise, split, place and check.

Each entry of a profile is a table ``{ value, source, confidence }``. A number that is not public is absent, and whatever
needs it is "unknown", never "ok". Adding a chip is adding a file to hw_profiles/.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from snnc.arith import Fixed
from snnc.config import read_toml
from snnc.errors import ProfileError, SnncError, nearest
from snnc.hw_keys import KEYS, RESOURCES, Fact, read_facts
from snnc.storage import Storage


@dataclass(frozen=True)
class Profile:
    """A chip. ``limits`` holds the public ones only, by resource: neurons_per_core, input_axons_per_core, ..."""

    name: str
    title: str
    cores: int
    limits: Mapping[str, int]
    neurons: tuple[str, ...]  # neuron models it computes
    graded_spikes: bool
    message_bits_max: int  # of a graded spike; 0 without them
    delay_steps_max: int  # on top of the one step that every hop takes
    full_core_delay_steps_max: int | None  # longest delay at which a core holds all its neurons; None: no such rule
    numeric: Fixed
    storage: Storage | None  # None: how it stores synapses is not public
    facts: Mapping[str, Fact]  # "table.key" -> the entry as the file states it

    def fixed(self) -> Fixed:
        """The integers that the chip computes with."""
        return replace(self.numeric, profile=self.name)

    @property
    def resources(self) -> tuple[str, ...]:
        """What a budget reports: the resources of every chip, and the further limits of this one.

        ``weight_bytes_per_core`` is for chips whose synapse format is not public: all memory of a core, which the bits of
        the weights alone must not exceed. It is necessary, not sufficient.
        """
        return (*RESOURCES, *(r for r in self.limits if r not in RESOURCES))

    @property
    def not_public(self) -> tuple[str, ...]:
        """What the budget needs and nobody has published."""
        absent = [resource for resource in RESOURCES if resource not in self.limits]
        return (*absent, *([] if self.storage else ["storage"]))


@cache
def folder() -> Path:
    """Where the profiles lie."""
    return Path(str(importlib.import_module("snnc.hw_profiles").__file__)).parent


def names() -> tuple[str, ...]:
    """All profiles, by file name."""
    return tuple(sorted(path.stem for path in folder().glob("*.toml")))


def load(name_or_path: str | Path) -> Profile:
    """A profile by its name, or from a file whose name ends in .toml.

    Raises ProfileError for an unknown name, a missing or unknown key, a wrong type, a missing source, or a number that
    cannot be.
    """
    name = str(name_or_path)
    if name in names():
        return _read(folder() / f"{name}.toml")
    if not name.endswith(".toml"):
        raise ProfileError(f"no hardware profile {name!r}", fix=nearest(name, names()))
    return _read(Path(name))


def _read(path: Path) -> Profile:
    try:
        table = read_toml(path)
    except SnncError as error:
        raise ProfileError(error.what, where=error.where, fix=error.fix) from error
    return from_table(path.stem, table, where=str(path))


def from_table(name: str, table: Mapping[str, Any], where: str) -> Profile:
    """A profile from the content of its TOML file. Raises ProfileError as `load` does."""
    table = dict(table)
    title = table.pop("title", None)
    if not isinstance(title, str) or not title:
        raise ProfileError("has no title", where=where, fix='add a line: title = "..."')
    facts = read_facts(table, where)
    values = {key: fact.value for key, fact in facts.items()}
    return Profile(
        name=name,
        title=title,
        cores=values["chip.cores"],
        limits={r: values[f"limits.{r}"] for r in KEYS["limits"] if f"limits.{r}" in values},
        neurons=tuple(values["features.neurons"]),
        graded_spikes=values["features.graded_spikes"],
        message_bits_max=values["features.message_bits_max"],
        delay_steps_max=values["features.delay_steps_max"],
        full_core_delay_steps_max=values.get("features.full_core_delay_steps_max"),
        numeric=Fixed(name, **{key: values[f"numeric.{key}"] for key in KEYS["numeric"]}),
        storage=_storage(values),
        facts=facts,
    )


def _storage(values: Mapping[str, Any]) -> Storage | None:
    if "storage.model" not in values:
        return None
    parts: dict[str, Any] = {}
    for f in fields(Storage):
        value = values[f"storage.{f.name}"]
        parts[f.name] = tuple(value) if isinstance(value, list) else value
    return Storage(**parts)
