"""What a hardware profile's file may hold, and what is wrong with one."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args

import snnc.neurons as neurons
from snnc.chips import memory
from snnc.chips.consistency import contradictions, of_rules
from snnc.chips.costs import Costs
from snnc.chips.fpga import Fpga
from snnc.errors import ProfileError, nearest
from snnc.network.arithmetic import RANGES

Confidence = Literal["primary", "second-hand", "disputed", "derived"]
CONFIDENCES: tuple[str, ...] = get_args(Confidence)


@dataclass(frozen=True)
class Fact:
    """One entry of a profile, and why it is believed."""

    value: Any
    source: str
    confidence: Confidence
    other_values: tuple[Any, ...] = ()  # what other sources say, if they differ


@dataclass(frozen=True)
class _Whole:
    """A whole number low .. high."""

    low: int
    high: int
    name: ClassVar[str] = "whole number"

    def problem(self, value: Any) -> str:
        if type(value) is not int:
            return f"is {value!r}, expected a {self.name}"
        return "" if self.low <= value <= self.high else f"is {value}, expected {self.low} to {self.high}"


@dataclass(frozen=True)
class _Flag:
    def problem(self, value: Any) -> str:
        return "" if type(value) is bool else f"is {value!r}, expected true or false"


@dataclass(frozen=True)
class _Text:
    def problem(self, value: Any) -> str:
        return "" if isinstance(value, str) and value.strip() else f"is {value!r}, expected a sentence"


@dataclass(frozen=True)
class _Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def problem(self, value: Any) -> str:
        return "" if value in self.words else f"is {value!r}, expected one of: {', '.join(self.words)}"


@dataclass(frozen=True)
class _Amount:
    """A number 0 .. high."""

    high: float
    name: ClassVar[str] = "number"

    def problem(self, value: Any) -> str:
        if type(value) not in (int, float):
            return f"is {value!r}, expected a {self.name}"
        return "" if 0 <= value <= self.high else f"is {value}, expected 0 to {self.high:g}"


@dataclass(frozen=True)
class _Ascending:
    """Numbers, each larger than the one before."""

    each: _Whole | _Amount

    def problem(self, value: Any) -> str:
        if type(value) is not list or not value:
            return f"is {value!r}, expected a list of {self.each.name}s"
        if problem := next(filter(None, map(self.each.problem, value)), ""):
            return f"holds an entry that {problem}"
        return "" if value == sorted(set(value)) else f"is {value}, expected ascending numbers"


@dataclass(frozen=True)
class _Words:
    """A list of different known words; ``least`` of them at least."""

    each: _Choice
    least: int = 1

    def problem(self, value: Any) -> str:
        if type(value) is not list or len(value) < self.least:
            return f"is {value!r}, expected a list of words"
        if problem := next(filter(None, map(self.each.problem, value)), ""):
            return f"holds an entry that {problem}"
        return "" if len(set(value)) == len(value) else f"is {value}, expected different words"


_Kind = _Whole | _Amount | _Flag | _Text | _Choice | _Ascending | _Words
_MANY = _Whole(1, 1 << 28)  # far above every chip there is, far below what overflows
_COST = _Amount(1e9)  # a millijoule, a second

DISTINCT = (  # how many different ones a core holds: slices that share a core need no more than their sum, and often fewer
    "neuron_configurations_per_core",
    "threshold_configurations_per_core",
    "synapse_configurations_per_core",
)
LONGEST = "synapse_words_per_axon"  # of the axon of a core that takes most
KEYS: dict[str, dict[str, _Kind]] = {
    "chip": {"cores": _Whole(1, 1 << 20), "chips": _Whole(1, 1 << 14)},  # cores of one chip; chips of the system
    "mesh": {"tile_columns": _Whole(1, 1 << 12), "tile_rows": _Whole(1, 1 << 12), "cores_per_tile": _Whole(1, 1 << 12)},
    "limits": {
        "neurons_per_core": _MANY,
        "input_axons_per_core": _MANY,
        "output_axons_per_core": _MANY,
        "synapse_words_per_core": _MANY,
        "synapses_per_core": _MANY,
        "weight_bytes_per_core": _MANY,
        **dict.fromkeys(DISTINCT, _MANY),
        LONGEST: _MANY,
    },
    "totals": {
        "neurons_per_chip": _MANY,
        "synapses_per_chip": _MANY,
        "inputs_per_chip": _MANY,
        "outputs_per_chip": _MANY,
        "fan_in_per_neuron": _MANY,
        "fan_out_per_neuron": _MANY,
        # Of a chip with one hidden layer and a readout: every population that computes, but the one that is read out, is hidden.
        "hidden_neurons_per_chip": _MANY,
        "hidden_synapses_per_chip": _MANY,  # from hidden neurons to hidden ones
        "hidden_fan_out_per_neuron": _MANY,
        "neurons_within_input_reach_per_chip": _MANY,  # hidden ones up to the last that has a synapse from an input
        "neurons_within_readout_reach_per_chip": _MANY,  # hidden ones from the first that has a synapse to the readout
    },
    "features": {
        "neurons": _Words(_Choice(neurons.names()), least=0),
        "programmable_neurons": _Words(_Choice(neurons.names())),  # that its cores can compute, of which no program is public
        "other_dynamics": _Text(),  # of a chip that computes none of the models, what it computes instead
        "graded_spikes": _Flag(),
        "message_bits_max": _Whole(0, 24),
        "delay_steps_max": _Whole(0, 1 << 16),
        "full_core_delay_steps_max": _Whole(0, 1 << 16),
        "off_chip_axon_slots": _Whole(1, 64),
        "soft_reset_compartments": _Whole(1, 1 << 10),  # of a neuron with soft reset, which has a synapse to itself, too
    },
    "numeric": {name: _Whole(*bounds) for name, bounds in RANGES.items()},
    "storage": {
        "model": _Choice(memory.names()),
        "word_bits": _Whole(1, 4096),
        "entry_header_bits": _Whole(0, 4096),
        "entry_synapses_max": _Whole(1, 1 << 20),
        "weight_field_bits": _Ascending(_Whole(1, 64)),
        "index_field_bits": _Ascending(_Whole(0, 64)),
        "formats": _Words(_Choice(get_args(memory.Format))),
        "delay_field_bits": _Ascending(_Whole(0, 64)),
        "skip_field_bits": _Ascending(_Whole(1, 10)),
        "axon_end_bits": _Whole(0, 4096),
    },
    "sharing": {"base_max": _MANY, "base_step": _MANY, "output_axons": _Whole(1, 1 << 10)},
    "fpga": {
        "family": _Choice(("ice40", "ecp5", "xc7")),
        "luts": _MANY,
        "lut_inputs": _Whole(2, 8),
        "flip_flops": _MANY,
        "lut_memory": _Flag(),
        "block_rams": _Whole(1, 1 << 16),
        "block_ram_bits": _Whole(1 << 8, 1 << 24),
        "block_ram_widths": _Ascending(_Whole(1, 128)),
        "multipliers": _Whole(0, 1 << 16),
        "large_rams": _Whole(1, 1 << 12),
        "large_ram_words": _Whole(1, 1 << 24),
        "large_ram_bits": _Whole(1, 256),
        "large_ram_mask_bits": _Whole(1, 256),
    },
    "costs": {
        **{f.name: _COST for f in fields(Costs)},
        "link_buffer_messages": _Whole(1, 1 << 20),
        "barrier_tiles": _Ascending(_Whole(1, 1 << 20)),
        "barrier_ns": _Ascending(_COST),
    },
}
RESOURCES = tuple(KEYS["limits"])[:4]  # what every core runs out of; see `Profile.resources`
_WITHOUT = ("mesh", "totals", "storage", "sharing", "fpga", "costs")  # tables that a profile need not have
_LARGE = tuple(f"fpga.{f.name}" for f in fields(Fpga) if f.name.startswith("large_"))  # all of them or none
_OPTIONAL = {
    "chip.chips",
    "features.programmable_neurons",
    "features.other_dynamics",
    "features.delay_steps_max",
    "features.full_core_delay_steps_max",
    "features.off_chip_axon_slots",
    "features.soft_reset_compartments",
    *(f"{part}.{key}" for part in ("limits", "totals") for key in KEYS[part]),
    *(f"storage.{key}" for key in of_rules()),
    *_LARGE,
}


def merged(base: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a profile that extends another: each of its entries stands in the place of that of ``base``."""
    together = {part: dict(entries) if isinstance(entries, dict) else entries for part, entries in base.items()}
    for part, entries in table.items():
        both = isinstance(entries, dict) and isinstance(together.get(part), dict)
        together[part] = {**together[part], **entries} if both else entries
    return together


def read_facts(table: Mapping[str, Any], where: str) -> dict[str, Fact]:
    """Return the entries of a file, by "table.key". Raises ProfileError at the first that cannot be."""
    _only_known(table, list(KEYS), where)
    facts: dict[str, Fact] = {}
    for part, keys in KEYS.items():
        entries = table.get(part, {})
        if not isinstance(entries, dict):
            raise ProfileError(f"{part} = {entries!r} is no table", where=where, fix=f"write it as [{part}]")
        _only_known(entries, list(keys), where, prefix=f"{part}.")
        facts |= {
            f"{part}.{key}": _fact(f"{part}.{key}", entries[key], kind, where) for key, kind in keys.items() if key in entries
        }
    _check_complete(table, facts, where)
    _check_together(facts, where)
    return facts


def _check_complete(table: Mapping[str, Any], facts: Mapping[str, Fact], where: str) -> None:
    optional = set(_OPTIONAL)
    if "features.neurons" in facts and not facts["features.neurons"].value:  # it computes in numbers of another kind
        optional |= {f"numeric.{key}" for key in KEYS["numeric"]}
    if "fpga" in table:  # it has no cores, and computes what a design does
        optional |= {name for part in ("chip", "features") for name in (f"{part}.{key}" for key in KEYS[part])}
    if any(name in facts for name in _LARGE):
        optional -= {*_LARGE}
    parts = [part for part in KEYS if part in table or part not in _WITHOUT]
    for name in (f"{part}.{key}" for part in parts for key in KEYS[part]):
        if name not in facts and name not in optional:
            raise ProfileError(f"has no {name}", where=where, fix="add it with its value, source and confidence")


def _only_known(table: Mapping[str, Any], known: list[str], where: str, prefix: str = "") -> None:
    for key in table:
        if key not in known:
            raise ProfileError(f"has an unknown key {prefix + key!r}", where=where, fix=nearest(key, known))


def _fact(name: str, entry: Any, kind: _Kind, where: str) -> Fact:
    if not isinstance(entry, dict):
        raise ProfileError(
            f"{name} = {entry!r} has no source", where=where, fix="write it as { value = ..., source = ..., confidence = ... }"
        )
    _only_known(entry, [f.name for f in fields(Fact)], where, prefix=f"{name}.")
    for needed in ("value", "source", "confidence"):
        if needed not in entry:
            raise ProfileError(f"{name} has no {needed}", where=where, fix="each entry needs a value, a source and a confidence")
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise ProfileError(f"{name} has an empty source", where=where, fix="say where the value is from")
    if entry["confidence"] not in CONFIDENCES:
        raise ProfileError(
            f"{name} has confidence {entry['confidence']!r}", where=where, fix=f"use one of: {', '.join(CONFIDENCES)}"
        )
    others = _other_values(name, entry, where)
    for value in (entry["value"], *others):
        if problem := kind.problem(value):
            raise ProfileError(f"{name} {problem}", where=where, fix="correct it")
    return Fact(entry["value"], entry["source"], entry["confidence"], others)


def _other_values(name: str, entry: Mapping[str, Any], where: str) -> tuple[Any, ...]:
    others = entry.get("other_values", [])
    if not isinstance(others, list) or bool(others) != (entry["confidence"] == "disputed"):
        raise ProfileError(
            f"{name} has confidence {entry['confidence']!r} and other_values {others!r}",
            where=where,
            fix='list other_values where, and only where, confidence = "disputed"',
        )
    return tuple(others)


def _check_together(facts: Mapping[str, Fact], where: str) -> None:
    """Raise ProfileError for values that are possible one by one and not together."""
    value = {name: fact.value for name, fact in facts.items()}
    for what, fix in contradictions(value):
        raise ProfileError(what, where=where, fix=fix)
