"""Put slices on cores. After split, before export."""

from collections.abc import Sequence
from dataclasses import replace

from snnc.chips.profile import Profile
from snnc.mapping.coverage import must_be_a_partition
from snnc.mapping.legality import must_be_legal
from snnc.mapping.meter import CoreMeter, cheapest
from snnc.mapping.model import Core, CoreMap, Slice
from snnc.mapping.output_axons import Outgoing
from snnc.network.model import Network


def place(net: Network, slices: Sequence[Slice], profile: Profile, seed: int = 0) -> CoreMap:
    """One slice a core, in the order of ``slices``. The seed is recorded; this placer draws nothing from it.

    Every core is measured anew and held against every limit. Raises DoesNotFitError if one is exceeded or the cores run
    out, NetworkError if the slices are not a partition of the network's neurons.
    """
    cores = fill(net, slices, profile)
    must_be_legal(net, cores, profile)
    return CoreMap(profile, seed, cores)


def fill(net: Network, slices: Sequence[Slice], profile: Profile) -> tuple[Core, ...]:
    """A core for each slice with what it uses, however many that are and whether it fits or not."""
    must_be_a_partition(net, slices)
    meter = CoreMeter.of(net, profile)
    net = meter.net
    outgoing = Outgoing(net, slices, profile)
    cores = []
    for i, piece in enumerate(slices):
        axons = meter.axons(piece)
        for c in net.into(piece.population):
            outgoing.add(c, axons[c.name][0], i)
        stored = meter.stored(piece, axons)
        words = {name: {form: w.total for form, w in by_format.items()} for name, by_format in stored.items()}
        cores.append(Core(i, (piece,), meter.incoming(piece, axons, stored), cheapest(stored), words))
    return tuple(replace(core, used={**core.used, "output_axons_per_core": outgoing.of(core.slices[0])}) for core in cores)
