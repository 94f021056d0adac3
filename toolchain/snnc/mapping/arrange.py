"""Put cores on the mesh: along a Hilbert curve, then swapped as long as that saves hops. Of many cores, chips are placed first.

Source of the idea: Jin et al., "Mapping Very Large Scale Spiking Neuron Network to Neuromorphic Hardware", ASPLOS 2023, who
start from a Hilbert curve and then let cores pull each other. Here a step is the best swap of any two places.
"""

from math import ceil, isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Mesh, Profile
from snnc.mapping.census import Census

Ints = NDArray[np.int64]
LARGEST = 2048  # places between which swaps are tried
WORK = 400_000_000  # of all swaps together, in elements touched
SPARE = 1.25  # places that swaps may use, for each core


def mesh_of(profile: Profile) -> Mesh:
    """Return the mesh of one chip; where it is not public, a square of single cores."""
    if profile.mesh:
        return profile.mesh
    cores = profile.cores_per_chip
    columns = isqrt(cores - 1) + 1
    return Mesh(columns, ceil(cores / columns), 1)


def tiles(profile: Profile, places: Ints) -> tuple[Ints, Ints]:
    """Return (column, row) of the tile of each place 0 .. cores - 1. Chips lie in a square, each in its rows of tiles.

    How chips are wired is not public: their meshes are taken to continue in each other, as on one larger chip.
    """
    mesh, per_chip = mesh_of(profile), profile.cores_per_chip
    chips_wide = isqrt(profile.chips - 1) + 1
    chip, tile = places // per_chip, places % per_chip // mesh.cores_per_tile
    column = chip % chips_wide * mesh.tile_columns + tile % mesh.tile_columns
    row = chip // chips_wide * mesh.tile_rows + tile // mesh.tile_columns
    return column, row


def hops(profile: Profile, a: Ints, b: Ints) -> Ints:
    """Return the links between routers from place a to place b, elementwise: 0 within a tile."""
    (xa, ya), (xb, yb) = tiles(profile, a), tiles(profile, b)
    far: Ints = np.abs(xa - xb) + np.abs(ya - yb)
    return far


def packet_hops(profile: Profile, census: Census, places: Ints) -> float:
    """Return packets x hops of one inference between cores; ``places``: (cores,) where each lies."""
    src, dst, packets = census.links
    return float((hops(profile, places[src], places[dst]) * packets).sum())


def link_loads(profile: Profile, census: Census, places: Ints) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the packets over each link between neighbouring tiles, both ways together: each goes along its row, then its column.

    ``places``: (cores,) where each lies. Shapes of the result: (rows, columns - 1) of the links along rows, (rows - 1, columns)
    of those along columns.
    """
    src, dst, packets = census.links
    column, row = tiles(profile, places)
    columns, rows = int(column.max()) + 1, int(row.max()) + 1
    along_rows, along_columns = np.zeros((rows, columns)), np.zeros((columns, rows))
    add_passing(along_rows, row[src], column[src], column[dst], packets)
    add_passing(along_columns, column[dst], row[src], row[dst], packets)
    return along_rows.cumsum(axis=1)[:, :-1], along_columns.cumsum(axis=1)[:, :-1].T


def add_passing(change: NDArray[np.float64], lane: Ints, start: Ints, end: Ints, packets: NDArray[np.float64] | float) -> None:
    """Add packets that go along a lane from tile ``start`` to ``end``. The cumulated sums of ``change``, (lanes, tiles), are
    those that pass from each tile to the next, or back.
    """
    np.add.at(change, (lane, np.minimum(start, end)), packets)
    np.subtract.at(change, (lane, np.maximum(start, end)), packets)


def busiest_link(profile: Profile, census: Census, places: Ints) -> float:
    """Return the packets of one inference over the link between neighbouring tiles that has most, both ways together."""
    return float(max(loads.max(initial=0.0) for loads in link_loads(profile, census, places)))


def arrange(profile: Profile, census: Census, chip: Ints | None = None) -> Ints:
    """Return a place for each core, (cores,): the better of the plain order and the curve, then swapped. Nothing is drawn.

    ``chip``, (cores,): cores that shall share a chip, which is done if they fit there and that saves packets x hops.
    """
    n, along = census.cores, _along(profile, census.cores)

    def paid(places: Ints) -> float:
        return packet_hops(profile, census, places[:n])

    start = min(np.arange(len(along)), along, key=paid)
    if len(along) <= LARGEST:
        tried = [_swapped(profile, census, start)]
    else:
        tried = [start[:n], _in_levels(profile, census, np.arange(n) // profile.cores_per_chip)]
    if chip is not None and np.bincount(chip).max() <= profile.cores_per_chip:
        tried.append(improved(profile, census, _in_levels(profile, census, chip)))
    return min(tried, key=paid)


def improved(profile: Profile, census: Census, places: Ints) -> Ints:
    """Return places, (cores,), from which no swap saves packets x hops any more; those of many cores are swapped chip by chip."""
    along = _along(profile, census.cores)
    if len(along) <= LARGEST:
        return _swapped(profile, census, np.concatenate([places, np.setdiff1d(along, places)[: len(along) - census.cores]]))
    places = places.copy()
    _refine_chips(profile, _flow(census), places, np.unique(places // profile.cores_per_chip))
    return places


def _along(profile: Profile, cores: int) -> Ints:
    """Return the places that so many cores may use, along the curve."""
    return hilbert(profile)[: max(cores, min(profile.cores, ceil(SPARE * cores)))]


def hilbert(profile: Profile) -> Ints:
    """Return all places in the order in which a Hilbert curve over the tiles meets them."""
    places = np.arange(profile.cores)
    column, row = tiles(profile, places)
    side = 1 << int(max(column.max(), row.max())).bit_length()
    long, short = (column, row) if column.max() >= row.max() else (row, column)
    return np.lexsort((places, curve(short, long, side)))


def chips_along(profile: Profile) -> Ints:
    """Return all chips, (chips,), in the order in which the Hilbert curve comes to them."""
    return np.array(list(dict.fromkeys((hilbert(profile) // profile.cores_per_chip).tolist())))


def curve(x: Ints, y: Ints, side: int) -> Ints:
    """Return the distance along the curve of the points of a square of ``side``, a power of two. It starts and ends at y = 0."""
    distance = np.zeros_like(x)
    half = side // 2
    while half:
        right, up = (x & half) > 0, (y & half) > 0
        distance += half * half * ((3 * right) ^ up)
        turn = ~up & right
        x, y = np.where(turn, side - 1 - x, x), np.where(turn, side - 1 - y, y)
        x, y = np.where(up, x, y), np.where(up, y, x)
        half //= 2
    return distance


def _swapped(profile: Profile, census: Census, places: Ints) -> Ints:
    """Make the best swaps of two places; return the places of the cores. ``places`` ends with spare ones."""
    n, m = census.cores, len(places)
    src, dst, packets = census.links
    flow = np.zeros((m, m))
    np.add.at(flow, (src, dst), packets)
    far = hops(profile, places[:, None], places[None, :]).astype(np.float64)
    return places[swaps(flow + flow.T, far, n)]


def swaps(flow: NDArray[np.float64], far: NDArray[np.float64], n: int, fixed: NDArray[np.float64] | None = None) -> Ints:
    """Make the best swap of two places again and again until none helps; return the place of each of the first ``n`` cores.

    ``flow``, ``far``, (m, m): packets both ways between cores, of which those from ``n`` on are none, and hops between places;
    core i starts at place i. ``fixed``, (m, m): what core i pays at place j for cores that are not moved.
    """
    m = len(far)
    here = flow @ far  # what core i pays at the place of core j (spare ones carry nothing)
    here = here if fixed is None else here + fixed
    far, at, both_ways = far.copy(), np.arange(m), 2 * flow[:n]  # far: from the place of core i to that of core j
    for _ in range(WORK // (m * m)):
        own = np.diag(here)
        gain = own[:n, None] + own - here[:n] - here.T[:n] - both_ways * far[:n]
        i, j = divmod(int(gain.argmax()), m)
        if gain[i, j] <= 1e-9 * max(1.0, own.sum()):
            break
        here += np.outer(flow[:, i] - flow[:, j], far[j] - far[i])
        here[:, [i, j]] = here[:, [j, i]]
        far[[i, j]] = far[[j, i]]
        far[:, [i, j]] = far[:, [j, i]]
        at[[i, j]] = at[[j, i]]
    return at[:n]


def _in_levels(profile: Profile, census: Census, chip: Ints) -> Ints:
    """Return a place for each core: chips are placed, then the cores of each chip, and those of neighbouring chips together.

    ``chip``, (cores,): which cores share a chip.
    """
    per_chip, flow = profile.cores_per_chip, _flow(census)
    _, chip = np.unique(chip, return_inverse=True)
    spots = _chip_spots(profile, _between_chips(flow, chip))
    order = np.argsort(chip, kind="stable")
    rank = np.empty(len(chip), np.int64)
    rank[order] = np.arange(len(chip)) - np.searchsorted(chip[order], chip[order])
    places = spots[chip] * per_chip + rank
    _refine_chips(profile, flow, places, spots)
    return places


def _refine_chips(profile: Profile, flow: Any, places: Ints, spots: Ints) -> None:
    """Swap the cores of each of the chips at ``spots``, and of each two neighbours; ``places`` is changed."""
    groups = [np.array([spot]) for spot in spots]
    groups += [np.array([a, b]) for a, b in _neighbours(profile, spots)]
    for group in groups:
        _refine(profile, flow, places, (np.arange(profile.cores_per_chip) + group[:, None] * profile.cores_per_chip).ravel())


def _flow(census: Census) -> Any:
    """Return the packets both ways between cores, a sparse matrix."""
    from scipy.sparse import coo_array

    src, dst, packets = census.links
    flow = coo_array((packets, (src, dst)), shape=(census.cores, census.cores)).tocsr()
    return (flow + flow.T).tocsr()


def _between_chips(flow: Any, chip: Ints) -> NDArray[np.float64]:
    """Return the packets between chips, (chips, chips); ``chip``: (cores,) the chip of each."""
    from scipy.sparse import csr_array

    member = csr_array((np.ones(len(chip)), (np.arange(len(chip)), chip)))
    between: NDArray[np.float64] = (member.T @ flow @ member).toarray()
    np.fill_diagonal(between, 0)
    return between


def _chip_spots(profile: Profile, between: NDArray[np.float64]) -> Ints:
    """Return where each chip lies, (chips,): along the curve, then swapped."""
    per_chip, n = profile.cores_per_chip, len(between)
    spots = chips_along(profile)[: min(profile.chips, ceil(SPARE * n))]
    far = hops(profile, spots[:, None] * per_chip, spots[None, :] * per_chip).astype(np.float64)
    flow = np.zeros(far.shape)
    flow[:n, :n] = between
    return spots[swaps(flow, far, n)]


def _neighbours(profile: Profile, spots: Ints) -> list[tuple[int, int]]:
    """Return the pairs of used chips that lie beside each other."""
    per_chip = profile.cores_per_chip
    column, row = tiles(profile, spots * per_chip)
    mesh = mesh_of(profile)
    across, down = np.abs(column[:, None] - column) // mesh.tile_columns, np.abs(row[:, None] - row) // mesh.tile_rows
    a, b = np.nonzero(np.triu(across + down == 1))
    return list(zip(spots[a].tolist(), spots[b].tolist(), strict=True))


def _refine(profile: Profile, flow: Any, places: Ints, among: Ints) -> None:
    """Swap the cores that lie ``among`` some places, the others where they are; ``places`` is changed."""
    mine = np.flatnonzero(np.isin(places, among))
    spare = np.setdiff1d(among, places[mine])
    own = np.concatenate([places[mine], spare])
    n, m = len(mine), len(own)
    inner, outer, rows = np.zeros((m, m)), np.zeros((m, m)), flow[mine]
    inner[:n, :n] = rows[:, mine].toarray()
    others = np.setdiff1d(np.unique(rows.indices), mine)
    away = hops(profile, places[others][:, None], own[None, :]).astype(np.float64)
    outer[:n] = rows[:, others] @ away
    far = hops(profile, own[:, None], own[None, :]).astype(np.float64)
    places[mine] = own[swaps(inner, far, n, outer)]
