"""Put cores on the mesh: along a Hilbert curve, then swapped as long as that saves hops.

Source of the idea: Jin et al., "Mapping Very Large Scale Spiking Neuron Network to Neuromorphic Hardware", ASPLOS 2023, who
start from a Hilbert curve and then let cores pull each other. Here a step is the best swap of any two places.
"""

from math import ceil, isqrt

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
    cores = profile.cores // profile.chips
    columns = isqrt(cores - 1) + 1
    return Mesh(columns, ceil(cores / columns), 1)


def tiles(profile: Profile, places: Ints) -> tuple[Ints, Ints]:
    """Return (column, row) of the tile of each place 0 .. cores - 1. Chips lie in a square, each in its rows of tiles.

    How chips are wired is not public: their meshes are taken to continue in each other, as on one larger chip.
    """
    mesh, per_chip = mesh_of(profile), profile.cores // profile.chips
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


def arrange(profile: Profile, census: Census) -> Ints:
    """Return a place for each core, (cores,): the better of the plain order and the curve, then swapped. Nothing is drawn."""
    along = hilbert(profile)[: max(census.cores, min(profile.cores, ceil(SPARE * census.cores)))]

    def paid(places: Ints) -> float:
        return packet_hops(profile, census, places[: census.cores])

    start = min(np.arange(len(along)), along, key=paid)
    return start[: census.cores] if len(along) > LARGEST else _swapped(profile, census, start)


def hilbert(profile: Profile) -> Ints:
    """Return all places in the order in which a Hilbert curve over the tiles meets them."""
    places = np.arange(profile.cores)
    column, row = tiles(profile, places)
    side = 1 << int(max(column.max(), row.max())).bit_length()
    long, short = (column, row) if column.max() >= row.max() else (row, column)
    return np.lexsort((places, curve(short, long, side)))


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
    """Make the best swap of two places again and again until none helps; return the places. ``places`` ends with spare ones."""
    n, m = census.cores, len(places)
    src, dst, packets = census.links
    flow = np.zeros((m, m))
    np.add.at(flow, (src, dst), packets)
    flow += flow.T
    far = hops(profile, places[:, None], places[None, :]).astype(np.float64)  # from the place of core i to that of core j
    here = flow @ far  # what core i pays at the place of core j (spare ones carry nothing)
    at, both_ways = np.arange(m), 2 * flow[:n]
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
    return places[at[:n]]
