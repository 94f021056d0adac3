"""Hardware profiles: what a chip can hold and compute, from a TOML file. Read by quantise, split, place and check.

Each entry of a profile is a table ``{ value, source, confidence }``. A number that is not public is absent, and whatever
needs it is "unknown", never "ok". Adding a chip is adding a file to hw_profiles/.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import snnc.neurons as neurons
from snnc.base import registry
from snnc.base.config import read_toml
from snnc.chips.costs import Costs
from snnc.chips.fpga import Fpga
from snnc.chips.memory import Storage
from snnc.chips.schema import DISTINCT, KEYS, LONGEST, RESOURCES, Fact, merged, read_facts
from snnc.errors import PluginError, ProfileError, SnncError, UnsupportedError, nearest
from snnc.network.arithmetic import Fixed

_OF_FPGAS: Mapping[str, Any] = {  # a design computes whatever a network of snnc can be
    "features.graded_spikes": True,
    "features.message_bits_max": 24,
    "features.delay_steps_max": 1 << 16,
}


@dataclass(frozen=True)
class Mesh:
    """How the cores of a chip lie: a grid of tiles, each with its router."""

    tile_columns: int
    tile_rows: int
    cores_per_tile: int


@dataclass(frozen=True)
class Sharing:
    """How axons can share a list of synapses: each names it with a base, which is added to the numbers of the neurons in it."""

    base_max: int
    base_step: int  # of which bases are multiples
    output_axons: int  # that such an axon takes of its source's core


@dataclass(frozen=True)
class Profile:
    """A chip, or a system of equal ones. ``limits`` and ``totals`` hold the public ones only, by resource.

    Examples:
        >>> import snnc
        >>> from snnc.chips import load
        >>> load("loihi1").cores
        128
    """

    name: str
    title: str
    family: str  # the chip that a system is made of; its own name for a chip
    cores: int  # of all chips together; 0 on an FPGA
    chips: int
    mesh: Mesh | None  # of one chip; None: not public
    limits: Mapping[str, int]  # of a core: neurons_per_core, input_axons_per_core, ...
    totals: Mapping[str, int]  # of all chips together, or of any neuron: synapses_per_chip, fan_in_per_neuron, ...
    neurons: tuple[str, ...]  # neuron models it computes
    programmable_neurons: tuple[str, ...]  # that it can be programmed for; no program is public, nor what one takes of a core
    other_dynamics: str  # what it computes instead, if it computes none of the models
    graded_spikes: bool
    message_bits_max: int  # of a graded spike; 0 without them
    delay_steps_max: int | None  # on top of the one step that every hop takes; None: not public
    full_core_delay_steps_max: int | None  # longest delay at which a core holds all its neurons; None: no such rule
    off_chip_axon_slots: int  # of an output axon to another chip; 1 of any other
    soft_reset_compartments: int | None  # of a neuron with soft reset, if the chip's own is to zero; None: not public
    numeric: Fixed | None  # None: it computes with numbers of another kind
    weight_bits: int | None  # None: not public
    storage: Storage | None  # None: how it stores synapses is not public
    sharing: Sharing | None  # None: whether axons can share lists is not public
    costs: Costs | None  # None: not public, and energy and time are unknown
    fpga: Fpga | None  # None: it is no FPGA, but has cores
    facts: Mapping[str, Fact]  # "table.key" -> the entry as the file states it

    def takes(self, model: str) -> bool:
        """Return whether it computes a neuron model, or can be programmed for it."""
        return model in self.neurons or model in self.programmable_neurons

    def fixed(self) -> Fixed:
        """Return the integers that the chip computes with. Raises UnsupportedError if they are of another kind."""
        if self.numeric is None:
            raise UnsupportedError(
                f"computes no neuron model of snnc: {self.other_dynamics}", where=self.name, fix="pick another --hw"
            )
        return replace(self.numeric, profile=self.name)

    @property
    def cores_per_chip(self) -> int:
        """How many cores each chip of the system has."""
        return self.cores // self.chips

    @property
    def resources(self) -> tuple[str, ...]:
        """What a budget reports: the resources of every chip, and the further limits of this one.

        ``weight_bytes_per_core`` is for chips whose synapse format is not public: all memory of a core, which the bits of
        the weights alone must not exceed. It is necessary, not sufficient.
        """
        return (*RESOURCES, *(r for r in self.limits if r not in RESOURCES))

    @property
    def amounts(self) -> Mapping[str, int]:
        """The limits of what adds up where slices share a core."""
        return {resource: limit for resource, limit in self.limits.items() if resource not in (*DISTINCT, LONGEST)}

    @property
    def not_public(self) -> tuple[str, ...]:
        """What the budget needs and nobody has published."""
        if self.fpga:
            return ()
        absent = [resource for resource in RESOURCES if resource not in self.limits]
        absent += [] if self.delay_steps_max is not None else ["delay_steps_max"]
        return (*absent, *([] if self.storage else ["storage"]))


@cache
def folder() -> Path:
    """Return the folder of the shipped profiles."""
    return Path(str(importlib.import_module("snnc.hw_profiles").__file__)).parent


def _shipped() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder().glob("*.toml")))


def names() -> tuple[str, ...]:
    """List the chips and systems that have a profile, of snnc's own and of other distributions; none is read.

    Returns:
        Their names, sorted.

    Examples:
        >>> import snnc
        >>> "loihi1" in snnc.chips()
        True
    """
    return tuple(sorted({*_shipped(), *registry.offered(registry.CHIPS)}))


def broken() -> dict[str, SnncError]:
    """Return why profiles of other distributions cannot be read, by name."""
    broken: dict[str, SnncError] = {}
    for name in registry.offered(registry.CHIPS):
        try:
            load(name)
        except SnncError as error:
            broken[name] = error
    return broken


def every() -> tuple[Profile, ...]:
    """Return every profile that can be read."""
    unread = broken()
    return tuple(load(name) for name in names() if name not in unread)


def load(name_or_path: str | Path) -> Profile:
    """Load a profile by its name, or from a file whose name ends in .toml.

    Raises ProfileError for an unknown name, a missing or unknown key, a wrong type, a missing source, or a number that
    cannot be.
    """
    name = str(name_or_path)
    if name in registry.offered(registry.CHIPS):
        return _offered(name)
    if name in _shipped():
        return from_table(name, _read(path := folder() / f"{name}.toml"), where=str(path))
    if not name.endswith(".toml"):
        raise ProfileError(f"no hardware profile {name!r}", fix=nearest(name, names()))
    try:
        return from_table(Path(name).stem, _read(Path(name)), where=name)
    except RecursionError as error:  # a value of dotted keys, when it is to be shown
        raise ProfileError("is nested too deeply", where=name, fix="correct it") from error


def _offered(name: str) -> Profile:
    """The profile NAME.toml beside the module that an entry point names."""
    module = registry.load_offered(registry.CHIPS, "chip", name, _shipped())
    with as_file(files(module) / f"{name}.toml") as path:
        where = f"{name}.toml of {registry.brought_by(registry.offered(registry.CHIPS)[name][0])}"
        if not path.is_file():
            raise PluginError(f"has no {name}.toml", where=where, fix="put it beside the module that the entry point names")
        try:
            return from_table(name, _read(path), where=where)
        except RecursionError as error:
            raise ProfileError("is nested too deeply", where=where, fix="correct it") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except SnncError as error:
        raise ProfileError(error.what, where=error.where, fix=error.fix) from error


def from_table(name: str, table: Mapping[str, Any], where: str) -> Profile:
    """Return a profile from the content of its TOML file. Raises ProfileError as `load` does."""
    table = dict(table)
    title, base = table.pop("title", None), table.pop("extends", None)
    if not isinstance(title, str) or not title:
        raise ProfileError("has no title", where=where, fix='add a line: title = "..."')
    facts = read_facts(table if base is None else merged(_base(base, where), table), where)
    values = {key: fact.value for key, fact in facts.items()}
    values = {**_OF_FPGAS, "features.neurons": neurons.names(), **values} if "fpga.family" in values else values
    chips = values.get("chip.chips", 1)
    return Profile(
        name=name,
        title=title,
        family=base or name,
        cores=values.get("chip.cores", 0) * chips,
        chips=chips,
        mesh=Mesh(**{key: values[f"mesh.{key}"] for key in KEYS["mesh"]}) if "mesh.tile_rows" in values else None,
        limits=_part(values, "limits"),
        totals={key: n * (chips if key.endswith("_per_chip") else 1) for key, n in _part(values, "totals").items()},
        neurons=tuple(values["features.neurons"]),
        programmable_neurons=tuple(values.get("features.programmable_neurons", ())),
        other_dynamics=values.get("features.other_dynamics", ""),
        graded_spikes=values["features.graded_spikes"],
        message_bits_max=values["features.message_bits_max"],
        delay_steps_max=values.get("features.delay_steps_max"),
        full_core_delay_steps_max=values.get("features.full_core_delay_steps_max"),
        off_chip_axon_slots=values.get("features.off_chip_axon_slots", 1),
        soft_reset_compartments=values.get("features.soft_reset_compartments"),
        numeric=Fixed(name, **_part(values, "numeric")) if values["features.neurons"] else None,
        weight_bits=values.get("numeric.weight_bits"),
        storage=Storage(**_table("storage", values)) if "storage.model" in values else None,
        sharing=Sharing(**_part(values, "sharing")) if "sharing.base_step" in values else None,
        costs=Costs(**_table("costs", values)) if "costs.spike_pj" in values else None,
        fpga=Fpga(**_table("fpga", values)) if "fpga.family" in values else None,
        facts=facts,
    )


def _base(name: Any, where: str) -> dict[str, Any]:
    """Return the table of the shipped chip that a profile extends."""
    if name not in _shipped():
        raise ProfileError(
            f"extends {name!r}, which is no profile of snnc's own", where=where, fix=nearest(str(name), _shipped())
        )
    table = _read(folder() / f"{name}.toml")
    if (further := table.pop("extends", None)) and "chips" in table.get("chip", {}):
        raise ProfileError(f"extends {name!r}, which itself extends {further!r}", where=where, fix=f"extend {further!r}")
    del table["title"]
    return merged(_base(further, where), table) if further else table


def _part(values: Mapping[str, Any], part: str) -> dict[str, Any]:
    return {key: values[f"{part}.{key}"] for key in KEYS[part] if f"{part}.{key}" in values}


def _table(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a table that is there as a whole or not at all."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in _part(values, part).items()}
