"""Put slices on cores. After split, before export."""

from collections.abc import Sequence

import numpy as np

from snnc.errors import DoesNotFitError, NetworkError
from snnc.hw import Profile
from snnc.ir import Network
from snnc.mapping import Core, Mapping, Slice
from snnc.usage import Meter, OverLimitError, Usage, fan_out, words_for


def place(net: Network, slices: Sequence[Slice], profile: Profile, seed: int = 0) -> Mapping:
    """One slice a core, in the order of ``slices``. The seed is recorded; this placer draws nothing from it.

    Every core is measured anew and held against every limit. Raises DoesNotFitError if one is exceeded or the cores run
    out, NetworkError if the slices are not a partition of the network's neurons.
    """
    cores = fill(net, slices, profile)
    if len(cores) > profile.cores:
        raise DoesNotFitError(
            f"needs {len(cores)} cores, {profile.name} has {profile.cores}",
            where=f"network {net.name!r}",
            fix="prune it or pick a larger chip; `snnc check` says how far",
        )
    for core in cores:
        _must_be_legal(core, profile)
    return Mapping(profile.name, seed, cores)


def fill(net: Network, slices: Sequence[Slice], profile: Profile) -> tuple[Core, ...]:
    """A core for each slice with what it uses, however many that are and whether it fits or not."""
    _must_be_a_partition(net, slices)
    meter = Meter.of(net, profile)
    axons = {p.name: np.zeros(p.size, np.int64) for p in net.populations}
    for c in net.connections:
        axons[c.src] += fan_out(c, [piece for piece in slices if piece.population == c.dst])
    return tuple(
        Core(
            index=i,
            slices=(piece,),
            used={**meter.incoming(piece), "output_axons_per_core": int(axons[piece.population][piece.start : piece.stop].sum())},
            formats=meter.formats(piece),
        )
        for i, piece in enumerate(slices)
    )


def _must_be_legal(core: Core, profile: Profile) -> None:
    for resource, limit in profile.limits.items():
        used = core.used.get(resource, 0)
        if used > limit:
            usage = Usage(resource, f"core {core.index}", used, limit)
            what = f"needs {used} {words_for(resource)}, a core of {profile.name} has {limit}"
            raise OverLimitError(usage, what, fix="cut the network with split()")


def _must_be_a_partition(net: Network, slices: Sequence[Slice]) -> None:
    for p in net.populations:
        pieces = sorted(piece for piece in slices if piece.population == p.name)
        edges = [edge for piece in pieces for edge in (piece.start, piece.stop)]
        expected = [0, *(stop for piece in pieces[:-1] for stop in (piece.stop, piece.stop)), p.size] if p.neuron else []
        if edges != expected or any(piece.start >= piece.stop for piece in pieces):
            raise NetworkError(f"slices end at neurons {edges}, they are to cover 0 .. {p.size}", where=f"population {p.name!r}")
    if unknown := sorted({s.population for s in slices} - {p.name for p in net.populations}):
        raise NetworkError(f"slices name {unknown[0]!r}, which is no population", where=f"network {net.name!r}")
