"""Check that slices cover each neuron of a network once, and no input."""

from collections.abc import Iterator, Sequence

from snnc.errors import NetworkError
from snnc.mapping.model import Slice
from snnc.network.model import Network, Population


def must_be_a_partition(net: Network, slices: Sequence[Slice]) -> None:
    """Raise NetworkError unless the slices cover every neuron once, and no input."""
    for name, problem in gaps(net, slices):
        where = f"population {name!r}" if name else f"network {net.name!r}"
        raise NetworkError(problem, where=where, fix="map it again with `snnc map`")


def gaps(net: Network, slices: Sequence[Slice]) -> Iterator[tuple[str | None, str]]:
    """Yield (population, what is wrong) wherever slices leave neurons out or cover them twice.

    The population is None for a slice of one that the network does not have.
    """
    edges_of: dict[str, list[int]] = {p.name: [] for p in net.populations}
    for s in sorted(slices):
        edges_of.setdefault(s.population, []).extend((s.start, s.stop))
    for p in net.populations:
        if not _covers(p, edges := edges_of[p.name]):
            shown = f"{edges[:8]}{' and on' if len(edges) > 8 else ''}"
            yield p.name, f"slices end at neurons {shown}, they are to cover 0 .. {p.size if p.neuron else 0}"
    if unknown := sorted({s.population for s in slices} - {p.name for p in net.populations}):
        yield None, f"slices name {unknown[0]!r}, which is no population"


def _covers(p: Population, edges: Sequence[int]) -> bool:
    """Tell whether slices with these edges, each start before its stop, cover the neurons of a population."""
    if p.neuron is None or not edges:
        return not edges and p.neuron is None
    starts, stops = edges[::2], edges[1::2]
    touching = list(starts[1:]) == list(stops[:-1]) and all(start < stop for start, stop in zip(starts, stops, strict=True))
    return touching and starts[0] == 0 and stops[-1] == p.size
