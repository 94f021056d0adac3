"""Put slices on cores. After split, before export."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base import units
from snnc.chips.memory import INEXPRESSIBLE, Format
from snnc.chips.profile import Profile
from snnc.mapping.core_use import Stored, cheapest, stored
from snnc.mapping.coverage import must_be_a_partition
from snnc.mapping.legality import must_be_legal
from snnc.mapping.meter import CoreMeter
from snnc.mapping.model import Core, CoreMap, Slice
from snnc.mapping.output_axons import Outgoing
from snnc.network.model import Network

Ints = NDArray[np.int64]
Measured = tuple[Core, Mapping[str, Ints]]  # a core, and by connection the neurons whose axons end there
USED, SOURCES = "used", "sources"


def place(net: Network, slices: Sequence[Slice], profile: Profile, seed: int = 0) -> CoreMap:
    """Put one slice on each core, in the order of ``slices``. The seed is recorded; this placer draws nothing from it.

    Every core is measured anew and held against every limit. Raises DoesNotFitError if one is exceeded or the cores run
    out, NetworkError if the slices are not a partition of the network's neurons.
    """
    cores = fill(net, slices, profile)
    must_be_legal(net, cores, profile)
    return CoreMap(profile, seed, cores)


def fill(net: Network, slices: Sequence[Slice], profile: Profile) -> tuple[Core, ...]:
    """Return a core for each slice with what it uses, however many that are and whether it fits or not."""
    must_be_a_partition(net, slices)
    meter = CoreMeter.of(net, profile)
    outgoing = Outgoing(meter.net, slices, profile)
    cores = []
    for i, (core, sources) in enumerate(measured(meter, slices)):
        for c in meter.net.into(core.slices[0].population):
            outgoing.add(c, sources[c.name], i)
        cores.append(core)
    return tuple(replace(core, used={**core.used, "output_axons_per_core": outgoing.of(core.slices[0])}) for core in cores)


def measured(meter: CoreMeter, slices: Sequence[Slice]) -> Iterator[Measured]:
    """Yield a core for each slice without its output axons, and the neurons whose axons end there, by connection.

    Where nothing but counts matters, units are some successive slices.
    """
    if meter.profile.storage or not units.are_shared() or not meter.is_sent:
        yield from (_alone(meter, i, core_slice) for i, core_slice in enumerate(slices))
        return
    amounts = np.array([meter.synapses(core_slice) for core_slice in slices], np.int64)
    some = [(start, tuple(slices[start:stop])) for start, stop in units.slices(amounts, units.SYNAPSES)]
    work = units.Work("cores", _packed, meter, lambda: (meter.net.hash, repr(meter.profile)))
    for arrays, (start, of) in zip(units.mapped(work, [of for _, of in some]), some, strict=True):
        yield from _unpacked(arrays, start, of)


def _packed(meter: CoreMeter, slices: tuple[Slice, ...]) -> dict[str, NDArray[Any]]:
    """Return of slices what each uses, and which neurons have an axon that ends there, a bit each."""
    arrays: dict[str, NDArray[Any]] = {}
    for k, core_slice in enumerate(slices):
        core, sources = _alone(meter, k, core_slice)
        arrays |= {f"{k}/{USED}/{resource}": np.array(amount) for resource, amount in core.used.items()}
        for c in meter.net.into(core_slice.population):
            reached = np.zeros(c.op.n_src, np.bool_)
            reached[sources[c.name]] = True
            arrays[f"{k}/{SOURCES}/{c.name}"] = np.packbits(reached)
    return arrays


def _unpacked(arrays: Mapping[str, NDArray[Any]], first: int, slices: Sequence[Slice]) -> Iterator[Measured]:
    """Yield what `_packed` returned, the first slice on core ``first``."""
    used: list[dict[str, int]] = [{} for _ in slices]
    sources: list[dict[str, Ints]] = [{} for _ in slices]
    for key, array in arrays.items():
        number, kind, name = key.split("/", 2)
        if kind == USED:
            used[int(number)][name] = int(array)
        else:
            sources[int(number)][name] = np.flatnonzero(np.unpackbits(array))
    for k, core_slice in enumerate(slices):
        yield Core(first + k, (core_slice,), used[k]), sources[k]


def _alone(meter: CoreMeter, i: int, core_slice: Slice) -> Measured:
    """Return a slice alone on core ``i``."""
    load = meter.load(core_slice)
    words = stored(meter, load)
    core = Core(i, (core_slice,), meter.incoming(core_slice, load, words), _formats(words), _expressible(words))
    return core, {name: axons.source for name, axons in load.axons.items()}


def _formats(words: Stored) -> dict[str, str]:
    """Return the cheapest format of each connection on one core."""
    best = {name: cheapest(by_format) for name, by_format in words.items()}
    return {name: formats[0] for name, (formats, taken) in best.items() if taken.total[0] < INEXPRESSIBLE}


def _expressible(words: Stored) -> dict[str, dict[Format, int]]:
    """Return connection -> format -> words on one core, without formats that cannot express it."""
    return {
        name: {f: int(w.total[0]) for f, w in by_format.items() if w.total[0] < INEXPRESSIBLE}
        for name, by_format in words.items()
    }
