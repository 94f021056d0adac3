"""What a hardware profile's file may hold, and what is wrong with one. Part of hw."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from snnc import neurons
from snnc.arith import RANGES
from snnc.errors import ProfileError, nearest
from snnc.storage import FORMATS, MODELS

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

    def problem(self, value: Any) -> str:
        if type(value) is not int:
            return f"is {value!r}, expected a whole number"
        return "" if self.low <= value <= self.high else f"is {value}, expected {self.low} to {self.high}"


@dataclass(frozen=True)
class _Flag:
    def problem(self, value: Any) -> str:
        return "" if type(value) is bool else f"is {value!r}, expected true or false"


@dataclass(frozen=True)
class _Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def problem(self, value: Any) -> str:
        return "" if value in self.words else f"is {value!r}, expected one of: {', '.join(self.words)}"


@dataclass(frozen=True)
class _Ascending:
    """Whole numbers, each larger than the one before."""

    each: _Whole

    def problem(self, value: Any) -> str:
        if type(value) is not list or not value:
            return f"is {value!r}, expected a list of whole numbers"
        if found := next(filter(None, map(self.each.problem, value)), ""):
            return f"holds an entry that {found}"
        return "" if value == sorted(set(value)) else f"is {value}, expected ascending numbers"


@dataclass(frozen=True)
class _Words:
    """A list of different known words."""

    each: _Choice

    def problem(self, value: Any) -> str:
        if type(value) is not list or not value:
            return f"is {value!r}, expected a list of words"
        if found := next(filter(None, map(self.each.problem, value)), ""):
            return f"holds an entry that {found}"
        return "" if len(set(value)) == len(value) else f"is {value}, expected different words"


_Kind = _Whole | _Flag | _Choice | _Ascending | _Words
_MANY = _Whole(1, 1 << 28)  # far above every chip there is, far below what overflows

KEYS: dict[str, dict[str, _Kind]] = {
    "chip": {"cores": _Whole(1, 1 << 20)},
    "limits": {
        "neurons_per_core": _MANY,
        "input_axons_per_core": _MANY,
        "output_axons_per_core": _MANY,
        "synapse_words_per_core": _MANY,
        "weight_bytes_per_core": _MANY,
    },
    "features": {
        "neurons": _Words(_Choice(neurons.names())),
        "graded_spikes": _Flag(),
        "message_bits_max": _Whole(0, 24),
        "delay_steps_max": _Whole(0, 1 << 16),
        "full_core_delay_steps_max": _Whole(0, 1 << 16),
    },
    "numeric": {name: _Whole(*bounds) for name, bounds in RANGES.items()},
    "storage": {
        "model": _Choice(MODELS),
        "word_bits": _Whole(1, 4096),
        "entry_header_bits": _Whole(0, 4096),
        "entry_synapses_max": _Whole(1, 1 << 20),
        "weight_field_bits": _Ascending(_Whole(1, 64)),
        "index_field_bits": _Ascending(_Whole(0, 64)),
        "formats": _Words(_Choice(FORMATS)),
    },
}
RESOURCES = tuple(KEYS["limits"])[:4]  # what every core runs out of; see `Profile.resources`
_OPTIONAL = {
    "storage",
    "limits.input_axons_per_core",
    "limits.output_axons_per_core",
    "limits.synapse_words_per_core",
    "limits.weight_bytes_per_core",
    "features.full_core_delay_steps_max",
}


def read_facts(table: Mapping[str, Any], where: str) -> dict[str, Fact]:
    """The entries of a file, by "table.key". Raises ProfileError at the first that cannot be."""
    _only_known(table, list(KEYS), where)
    facts: dict[str, Fact] = {}
    for part, keys in KEYS.items():
        if part not in table and part in _OPTIONAL:
            continue
        entries = table.get(part, {})
        if not isinstance(entries, dict):
            raise ProfileError(f"{part} = {entries!r} is no table", where=where, fix=f"write it as [{part}]")
        _only_known(entries, list(keys), where, prefix=f"{part}.")
        for key, kind in keys.items():
            name = f"{part}.{key}"
            if key in entries:
                facts[name] = _fact(name, entries[key], kind, where)
            elif name not in _OPTIONAL:
                raise ProfileError(f"has no {name}", where=where, fix="add it with its value, source and confidence")
    _check_together(facts, where)
    return facts


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
    """Values that are possible one by one and not together."""
    graded, bits = facts["features.graded_spikes"].value, facts["features.message_bits_max"].value
    if graded != (bits > 0):
        raise ProfileError(
            f"features.graded_spikes is {graded} with features.message_bits_max {bits}",
            where=where,
            fix="graded spikes have at least 1 bit, other spikes 0",
        )
    if "storage.model" in facts and max(facts["storage.weight_field_bits"].value) < facts["numeric.weight_bits"].value:
        raise ProfileError(
            f"numeric.weight_bits is {facts['numeric.weight_bits'].value}, storage.weight_field_bits end at"
            f" {max(facts['storage.weight_field_bits'].value)}",
            where=where,
            fix="add a wider field",
        )
