"""Put slices on cores. After split, before export."""

from collections.abc import Sequence
from dataclasses import replace

from snnc.chips.memory import INEXPRESSIBLE, Format
from snnc.chips.profile import Profile
from snnc.mapping.core_use import Stored, cheapest, stored
from snnc.mapping.coverage import must_be_a_partition
from snnc.mapping.legality import must_be_legal
from snnc.mapping.meter import CoreMeter
from snnc.mapping.model import Core, CoreMap, Slice
from snnc.mapping.output_axons import Outgoing
from snnc.network.model import Network


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
    for i, core_slice in enumerate(slices):
        load = meter.load(core_slice)
        for c in meter.net.into(core_slice.population):
            outgoing.add(c, load.axons[c.name].source, i)
        words = stored(meter, load)
        cores.append(Core(i, (core_slice,), meter.incoming(core_slice, load, words), _formats(words), _expressible(words)))
    return tuple(replace(core, used={**core.used, "output_axons_per_core": outgoing.of(core.slices[0])}) for core in cores)


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
