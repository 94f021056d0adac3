"""A mapping from its file, which anyone may have written: only who lies where is believed. Read by export."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snnc.base.files import read_json
from snnc.chips.profile import Profile
from snnc.errors import FileError
from snnc.mapping.census import census
from snnc.mapping.choose import cores_of
from snnc.mapping.coverage import must_be_a_partition
from snnc.mapping.legality import must_be_legal
from snnc.mapping.model import CoreMap, Slice
from snnc.mapping.task import Task, of_slices
from snnc.network.model import Network

MAX_BYTES = 256 << 20


def read_mapping(path: Path, net: Network, profile: Profile) -> CoreMap:
    """Read the mapping that `snnc map` wrote, and measure it anew on this network and chip.

    Raises FileError if it is no mapping or one for another chip, NetworkError if its slices do not cover each neuron once,
    DoesNotFitError if it exceeds a limit.
    """
    content = _read(path)
    try:
        seed, strategy, chip = content["seed"], content["strategy"], content["profile"]
        placed = {_whole(core["index"]): tuple(_slice(s) for s in core["slices"]) for core in content["cores"]}
        if len(placed) != len(content["cores"]) or type(seed) is not int or not isinstance(strategy, str):
            raise ValueError("a core is there twice, or seed or strategy are of a wrong type")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"is damaged ({error!r})", where=str(path), fix="write it again with snnc map") from error
    if chip != profile.name:
        raise FileError(f"is for {chip!r}, not for {profile.name!r}", where=str(path), fix=f"map with --hw {profile.name}")
    return placed_on(profile, net, placed, seed, strategy, where=str(path))


def placed_on(
    profile: Profile, net: Network, placed: Mapping[int, Sequence[Slice]], seed: int, strategy: str, where: str = "mapping"
) -> CoreMap:
    """Return the mapping of slices by core, measured anew. Raises FileError, NetworkError, DoesNotFitError as `read_mapping`."""
    places = np.array(sorted(placed))
    must_be_a_partition(net, [core_slice for slices in placed.values() for core_slice in slices])
    if not len(places) or places[0] < 0 or places[-1] >= profile.cores:
        raise FileError(f"names cores that {profile.name} has not, 0 .. {profile.cores - 1}", where=where, fix="map again")
    task = Task.of(net, profile, seed=seed)
    core_of = of_slices(task, tuple(tuple(placed[int(place)]) for place in places))
    cores = cores_of(core_of, census(task, core_of, places=places), places)
    must_be_legal(net, cores, profile)
    return CoreMap(profile, seed, cores, strategy)


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path, "mapping", MAX_BYTES, "write it with snnc map")
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != "snnc.mapping/1":
        raise FileError(f"has schema {schema!r}, expected 'snnc.mapping/1'", where=str(path), fix="write it with snnc map")
    return dict(content)


def _slice(entry: Any) -> Slice:
    if not isinstance(entry["population"], str):
        raise ValueError(f"population {entry['population']!r} is no text")
    return Slice(entry["population"], _whole(entry["start"]), _whole(entry["stop"]))


def _whole(value: Any) -> int:
    if type(value) is not int or abs(value) > 1 << 40:
        raise ValueError(f"{value!r} is no whole number")
    return value
