"""Put slices on cores. After split, before export."""

from collections.abc import Sequence
from dataclasses import replace

from snnc.chips.profile import Profile
from snnc.errors import NetworkError
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


def must_be_a_partition(net: Network, slices: Sequence[Slice]) -> None:
    """Raises NetworkError unless the slices cover every neuron once, and no input."""
    for p in net.populations:
        pieces = sorted(piece for piece in slices if piece.population == p.name)
        edges = [edge for piece in pieces for edge in (piece.start, piece.stop)]
        expected = [0, *(stop for piece in pieces[:-1] for stop in (piece.stop, piece.stop)), p.size] if p.neuron else []
        if edges != expected or any(piece.start >= piece.stop for piece in pieces):
            shown = f"{edges[:8]}{' and on' if len(edges) > 8 else ''}"
            raise NetworkError(f"slices end at neurons {shown}, they are to cover 0 .. {p.size}", where=f"population {p.name!r}")
    if unknown := sorted({s.population for s in slices} - {p.name for p in net.populations}):
        raise NetworkError(f"slices name {unknown[0]!r}, which is no population", where=f"network {net.name!r}")
