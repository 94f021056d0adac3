"""Map a network of equal tiles: one tile is mapped, the others lie on chips of their own in the same way.

A tile takes whole chips, so that what was found legal for one is legal for all. The chips of the tiles follow each other along
the rows of the mesh of chips or along its curve, whichever costs fewer packets x hops.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, isqrt
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.errors import DoesNotFitError
from snnc.mapping.arrange import add_passing, chips_along, hops
from snnc.mapping.census import pairs
from snnc.mapping.choose import Mapped
from snnc.mapping.task import Task, of_slices
from snnc.network.model import MAX_NEURONS, Network
from snnc.network.tiling import one_tile

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Links = tuple[Ints, Ints, Floats]  # from place, to place (of one tile), packets


@dataclass(frozen=True, eq=False)
class TiledMap:
    """A legal mapping of every tile, and what it costs in one inference."""

    network: str
    chip: Profile
    tile: Mapped  # of the first tile, on as many chips as it takes
    chips_per_tile: int
    first_chips: Ints  # (tiles,) where each tile begins
    packets: float  # all that arrive at cores
    packet_hops: float
    busiest_link: float  # packets over the busiest link between neighbouring chips, each going along its row first
    tile_seconds: float
    placing_seconds: float  # of all tiles
    failed: Mapping[str, str] = field(default_factory=dict)  # strategy -> why it made none, or was not tried

    @property
    def tiles(self) -> int:
        return len(self.first_chips)

    @property
    def cores(self) -> int:
        return self.tiles * self.tile.cores

    @property
    def seconds_for_each_further_tile(self) -> float:
        return self.placing_seconds / self.tiles

    def to_json(self) -> dict[str, Any]:
        """Return JSON values: the cores of one tile, and the first chip of each."""
        of_tile = self.tile.mapping.to_json()
        return {
            "schema": "snnc.tiled_mapping/1", "profile": self.chip.name, "seed": of_tile["seed"], "strategy": of_tile["strategy"],
            "cores": of_tile["cores"], "chips_per_tile": self.chips_per_tile, "first_chips": self.first_chips.tolist(),
        }  # fmt: skip


def goes_by_tiles(net: Network, profile: Profile) -> bool:
    """Tell whether tiles lie on chips of their own: where there are enough chips, or where the network is too large otherwise."""
    return net.tiles > 1 and (profile.chips >= net.tiles or max(p.size for p in net.populations) > MAX_NEURONS)


def chips_for(profile: Profile, cores: int) -> int:
    """Return how many chips have so many cores."""
    return ceil(cores / profile.cores_per_chip)


def of_one_tile(net: Network, profile: Profile, cores: int) -> tuple[Network, Profile]:
    """Return a tile and the part of the system that it takes: whole chips with so many cores.

    Raises DoesNotFitError if there are too few chips for all tiles.
    """
    per_chip, chips = profile.cores_per_chip, chips_for(profile, cores)
    if chips * net.tiles > profile.chips:
        raise DoesNotFitError(
            f"{net.tiles:,} tiles take {chips * net.tiles:,} chips, {chips} each, {profile.name} has {profile.chips:,}",
            where=f"network {net.name!r}", fix="use fewer or smaller tiles, or a larger system",
        )  # fmt: skip
    totals = {key: n // profile.chips * chips if key.endswith("_per_chip") else n for key, n in profile.totals.items()}
    return one_tile(net), replace(profile, cores=chips * per_chip, chips=chips, totals=totals)


def map_tiles(net: Network, profile: Profile, cores: int, map_tile: Callable[[Task], Mapped], seed: int = 0) -> TiledMap:
    """Map one tile with ``map_tile`` on chips with at least ``cores`` cores, then place all tiles.

    Raises DoesNotFitError if the chips are too few, and what ``map_tile`` raises.
    """
    start = perf_counter()
    tile, part = of_one_tile(net, profile, cores)
    task = Task.of(tile, part, seed=seed)
    mapped = map_tile(task)
    links = _links(net, task, mapped)
    mapped_at = perf_counter()
    order, paid = _placed(net.tiles, part.chips, profile, links)
    inside = links.get(0, _NO_LINKS)
    own = float((hops(profile, inside[0], inside[1]) * inside[2]).sum()) * net.tiles
    most = busiest(profile, order, {offset: float(of[2].sum()) for offset, of in links.items() if offset})
    done = perf_counter()
    return TiledMap(
        net.name, profile, mapped, part.chips, order, mapped.census.packets * net.tiles, own + paid, most,
        mapped_at - start, done - mapped_at,
    )  # fmt: skip


_NO_LINKS: Links = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)


def _links(net: Network, task: Task, mapped: Mapped) -> dict[int, Links]:
    """Return the packets between places of one tile, by how many tiles further on their source lies."""
    core_of = of_slices(task, tuple(core.slices for core in mapped.mapping.cores))
    offsets: dict[int, set[str]] = {}
    for c in net.connections:
        offsets.setdefault(c.op.synapses.source_tile, set()).add(c.name)
    links = {}
    for offset, names in offsets.items():
        part = replace(task, net=replace(task.net, connections=tuple(c for c in task.net.connections if c.name in names)))
        src, dst, packets = pairs(part, core_of)
        links[offset] = mapped.places[src], mapped.places[dst], packets
    return links


def _placed(tiles: int, chips: int, profile: Profile, links: Mapping[int, Links]) -> tuple[Ints, float]:
    """Return the first chip of each tile, and the packets x hops between tiles."""
    along = chips_along(profile)
    rows = np.arange(tiles) * chips
    orders = [rows] if chips > 1 else [rows, along[:tiles]]
    costs = [_between(order, profile, links) for order in orders]
    best = int(np.argmin(costs))
    return orders[best], costs[best]


def _between(order: Ints, profile: Profile, links: Mapping[int, Links]) -> float:
    """Return the packets x hops from the sources of each tile, ``offset`` tiles further on, to it."""
    per_chip, total = profile.cores_per_chip, 0.0
    for offset, (src, dst, packets) in links.items():
        if offset:
            sources = np.roll(order, -offset)
            for source, own in zip(sources.tolist(), order.tolist(), strict=True):
                total += float(hops(profile, src + source * per_chip, dst + own * per_chip) @ packets)
    return total


def busiest(profile: Profile, order: Ints, packets: Mapping[int, float]) -> float:
    """Return the packets over the busiest link of the mesh of chips."""
    wide = isqrt(profile.chips - 1) + 1
    tall = ceil(profile.chips / wide)
    across, down = np.zeros((2, tall, wide + 1)), np.zeros((2, wide, tall + 1))  # to higher and to lower numbers: differences
    for offset, amount in packets.items():
        sources = np.roll(order, -offset)
        (ya, xa), (yb, xb) = np.divmod(sources, wide), np.divmod(order, wide)
        for links, line, a, b in ((across, ya, xa, xb), (down, xb, ya, yb)):
            for way, goes in enumerate((a < b, b < a)):
                add_passing(links[way], line[goes], a[goes], b[goes], amount)
    return float(max(across.cumsum(axis=2).max(), down.cumsum(axis=2).max()))
