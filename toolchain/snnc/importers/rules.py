"""Import from `rules`: a TOML description of populations and of the rules that join them, which may repeat as equal tiles.

    name = "ring"
    dt_s = 1e-3
    seed = 7                       # of every connection, with its number
    tiles = 4                      # as many copies of all populations and connections; default: 1

    [populations.drive]            # without a model: an input
    neurons = 100

    [populations.cells]
    neurons = 1000                 # of one tile
    model = "lif"                  # with its parameters by name
    threshold = 1.0

    [[connections]]
    from = "drive"
    to = "cells"
    rule = "fixed_in_degree"       # with in_degree; or fixed_probability with probability, all_to_all, one_to_one
    in_degree = 10
    weight = { normal = [0.3, 0.03], between = [0.1, 0.5] }
    delay = { uniform = [1, 9] }   # in steps, on top of delay_steps; default: none
    tile = 1                       # whose neurons send: the next tile's, of the last the first's; default: the own

Nothing is drawn here: the network holds the rules (`snnc.rules.rule.Rule`).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np

import snnc.neurons as neurons
from snnc.errors import FileError, SnncError, UnsupportedError, nearest, refuse
from snnc.importers._settings import ImportConfig, Imported, Part
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import Neuron
from snnc.ops.dense import Dense
from snnc.rules.rule import Draw, Pattern, Rule
from snnc.rules.ruled import Ruled

SUMMARY = "a TOML description of populations and of the rules that join them"
SUFFIXES = (".toml",)
OPTIONS = ()

MAX_BYTES = 1 << 20
_NETWORK = ("name", "dt_s", "seed", "tiles", "populations", "connections")
_INPUT = ("neurons", "message_bits", "max_spikes_per_step")
_RULE = {"probability": "fixed_probability", "in_degree": "fixed_in_degree"}  # an amount, and the rule that takes it
_CONNECTION = ("name", "from", "to", "rule", *_RULE, "weight", "delay", "delay_steps", "seed", "tile")


def read(source: str, config: ImportConfig) -> Imported:
    """Return the float network that a file describes.

    Raises FileError for a file that is none or too large, UnsupportedError with all that it says wrong.
    """
    path = Path(source)
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise FileError(f"has {size:,} bytes, at most {MAX_BYTES:,} are read", where=source, fix="describe it by fewer rules")
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}", where=source, fix="check the path") from error
    except (ValueError, RecursionError) as error:
        raise FileError(f"is no TOML file ({error})", where=source, fix="see docs/scale.md for an example") from error
    net = network(described, source)
    parts = [Part(p.name, "population", p.neuron.model() if p.neuron else "input") for p in net.populations]
    return Imported(net, (*parts, *(Part(c.name, _pattern(c), f"{c.src} -> {c.dst}") for c in net.connections)))


def _pattern(c: Connection) -> str:
    return c.op.synapses.rule.pattern if isinstance(c.op.synapses, Ruled) else c.op.kind


def network(described: Mapping[str, Any], where: str = "network") -> Network:
    """Return the network of a description, the content of such a file as Python values.

    Raises UnsupportedError with all that it says wrong, NetworkError for a network that contradicts itself.
    """
    wrong = _unknown(described, _NETWORK, "the network")
    sections, rows = described.get("populations", {}), described.get("connections", [])
    if not isinstance(sections, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnsupportedError("has populations that are no tables, or connections that are no list of tables", where=where)
    populations, connections = dict[str, Population](), list[Connection]()
    for name, section in sections.items():
        try:
            populations[name] = _population(name, section, described)
        except (SnncError, TypeError, ValueError, OverflowError) as error:
            wrong.append(f"population {name!r}: {error}")
    for number, row in enumerate(rows):
        if {str(row.get("from")), str(row.get("to"))} & (sections.keys() - populations.keys()):
            continue  # what is wrong with the population comes first
        try:
            connections.append(_connection(number, row, described, populations))
        except (SnncError, TypeError, ValueError, OverflowError) as error:
            wrong.append(f"connection {row.get('name', number)!r}: {error}")
        except KeyError as error:
            wrong.append(f"connection {row.get('name', number)!r}: names no {error.args[0]!r}")
    refuse(wrong, where)
    dt_s = described.get("dt_s")
    if not isinstance(dt_s, float):
        raise UnsupportedError(f"has a time step dt_s of {dt_s!r}, expected seconds such as 1e-3", where=where)
    return Network(str(described.get("name", "network")), tuple(populations.values()), tuple(connections), dt_s)


def _unknown(fields: Mapping[str, Any], known: tuple[str, ...], whose: str) -> list[str]:
    return [f"{whose} has no {key!r}; {nearest(str(key), known)}" for key in fields if key not in known]


def _whole(fields: Mapping[str, Any], key: str, default: int | None) -> int:
    value = fields.get(key, default)
    if type(value) is not int:
        raise ValueError(f"{key} is {value!r}, expected a whole number")
    return value


def _tiles(described: Mapping[str, Any]) -> int:
    if (tiles := _whole(described, "tiles", 1)) < 1:
        raise ValueError(f"tiles is {tiles}, expected 1 or more")
    return tiles


def _population(name: str, fields: Any, described: Mapping[str, Any]) -> Population:
    if not isinstance(fields, dict):
        raise TypeError(f"is {fields!r}, expected a table")
    tiles, size = _tiles(described), _whole(fields, "neurons", None)
    shape = (tiles, size) if tiles > 1 else (size,)
    if "model" in fields:
        return Population(name, shape, _neuron(fields))
    if odd := _unknown(fields, (*_INPUT, "model"), "an input"):
        raise ValueError("; ".join(odd))
    return Population(name, shape, None, _whole(fields, "message_bits", 0), fields.get("max_spikes_per_step"))


def _neuron(fields: Mapping[str, Any]) -> Neuron:
    model = neurons.get(str(fields["model"]))
    known = tuple(model.parameters())
    if odd := _unknown(fields, ("neurons", "model", *known), f"model {fields['model']!r}"):
        raise ValueError("; ".join(odd))
    return model(**{key: _numbers(key, fields[key]) for key in known if key in fields})


def _numbers(key: str, given: Any) -> Any:
    """Return one number for all neurons, or one for each."""
    values = given if isinstance(given, list) else [given]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise TypeError(f"{key} is {given!r}, expected a number, or a list of one for each neuron")
    return np.float64(given)


def _connection(
    number: int, row: Mapping[str, Any], described: Mapping[str, Any], populations: Mapping[str, Population]
) -> Connection:
    if odd := _unknown(row, _CONNECTION, "a connection"):
        raise ValueError("; ".join(odd))
    tiles, source, target = _tiles(described), str(row["from"]), str(row["to"])
    for end in (source, target):
        if end not in populations:
            raise ValueError(f"joins {end!r}, which is no population")
    name = str(row.get("name", f"{source}_to_{target}_{number}"))
    if odd := [key for key, rule in _RULE.items() if key in row and row["rule"] != rule and row["rule"] in get_args(Pattern)]:
        raise ValueError(f"has {odd[0]!r}, which the rule {row['rule']!r} does not take; take it out, or use {_RULE[odd[0]]!r}")
    rule = Rule(
        row["rule"], populations[target].size // tiles, populations[source].size // tiles, Draw.of(row["weight"]),
        _whole(row, "seed", (_whole(described, "seed", 0) << 32) + number),
        delay=Draw.of(row["delay"]) if "delay" in row else None,
        tiles=tiles, offset=_whole(row, "tile", 0) % tiles,
        **{key: _amount(row, key) for key in _RULE if key in row},
    )  # fmt: skip
    return Connection(name, source, target, Dense(Ruled(rule)), _whole(row, "delay_steps", 0))


def _amount(row: Mapping[str, Any], key: str) -> Any:
    return _whole(row, key, None) if key == "in_degree" else float(row[key])
