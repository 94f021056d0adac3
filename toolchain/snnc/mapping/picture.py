"""A picture of the chip as SVG: its cores by how full they are, its links by the packets that cross them."""

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.arrange import link_loads, mesh_of, tiles
from snnc.mapping.choose import Mapped
from snnc.mapping.model import Core

CELL, GAP, MARGIN = 26, 14, 20  # pixels: a core, between tiles, around
LINE, NARROWEST = 17, 300  # pixels: of text; as wide as the longest line
HEAD = 3 * LINE
SCALE_HEIGHT = 12
MAX_NAMES, LONGEST_NAME = 30, 40  # of the legend: lines, and letters of one
MAX_TILES = 40_000  # of a picture; larger meshes are cut to the part that is used
ROUNDING = 1e-9  # of the busiest link, below which a link has no packets

Ints = NDArray[np.int64]


def picture(mapped: Mapped, profile: Profile) -> str:
    """Draw the mapping as an SVG document; every core and link shows its numbers when pointed at. Equal mappings, equal bytes.

    A core that is used shows the letter of the layer that has most of its neurons; one that is idle is an empty frame.
    """
    columns, rows = (int(axis.max()) + 1 for axis in tiles(profile, mapped.places))
    side = max(1, int(np.ceil(np.sqrt(mesh_of(profile).cores_per_tile))))
    pitch = side * CELL + GAP
    letters = _letters(mapped)
    legend = [f"{letter}: {name}" for name, letter in letters.items()][:MAX_NAMES]
    bottom = HEAD + rows * pitch
    width, height = max(NARROWEST, columns * pitch + 2 * MARGIN), bottom + (4 + len(legend)) * LINE + MARGIN
    captions = (
        (LINE, f"{mapped.mapping.profile}: {mapped.cores:,} cores by {mapped.mapping.strategy}"),
        (2 * LINE, f"{mapped.packet_hops:,.0f} packets x hops"),
        *((bottom + (i + 1) * LINE, line[:LONGEST_NAME]) for i, line in enumerate(legend)),
        (height - MARGIN - 2 * LINE, "core: its fullest resource; empty: idle"),
        (height - MARGIN, "line: packets an inference, thin to thick"),
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_tiles(columns, rows, side, pitch),
        *_idle(mapped, profile, columns, rows, pitch, side),
        *_links(mapped, profile, pitch, side),
        *_cores(mapped, profile, pitch, side, letters),
        *_scale(height - MARGIN - LINE - SCALE_HEIGHT),
        *(f'<text x="{MARGIN // 2}" y="{y}">{escape(line)}</text>' for y, line in captions),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _letters(mapped: Mapped) -> dict[str, str]:
    """Return a letter, or a number from the 27th on, for each population, in the order of the cores."""
    names = dict.fromkeys(part.population for core in mapped.mapping.cores for part in core.slices)
    return {name: chr(ord("A") + i) if i < 26 else str(i + 1) for i, name in enumerate(names)}


def _scale(top: int) -> Iterator[str]:
    """Draw what the shades mean, from 0 to 100 %."""
    for i in range(10):
        x, colour = MARGIN // 2 + 28 + 16 * i, _colour((i + 0.5) / 10)
        yield f'<rect x="{x}" y="{top}" width="16" height="{SCALE_HEIGHT}" fill="{colour}"/>'
    for x, text in ((MARGIN // 2, "0 %"), (MARGIN // 2 + 28 + 164, "100 %")):
        yield f'<text x="{x}" y="{top + SCALE_HEIGHT}">{text}</text>'


def _idle(mapped: Mapped, profile: Profile, columns: int, rows: int, pitch: int, side: int) -> Iterator[str]:
    """Draw a frame for every core of the drawn tiles, the used ones among them, which are drawn over it."""
    per_tile = mesh_of(profile).cores_per_tile
    if columns * rows * per_tile > MAX_TILES:
        return
    for row in range(rows):
        for column in range(columns):
            for inside in range(per_tile):
                x, y = MARGIN + column * pitch + inside % side * CELL, HEAD + row * pitch + inside // side * CELL
                yield f'<rect x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" fill="none" stroke="#ccc"/>'


def _tiles(columns: int, rows: int, side: int, pitch: int) -> Iterator[str]:
    if columns * rows > MAX_TILES:
        return
    size = side * CELL + 4
    for row in range(rows):
        for column in range(columns):
            x, y = MARGIN + column * pitch - 2, HEAD + row * pitch - 2
            yield f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="none" stroke="#ccc"/>'


def _cores(mapped: Mapped, profile: Profile, pitch: int, side: int, letters: dict[str, str]) -> Iterator[str]:
    column, row = tiles(profile, mapped.places)
    per_chip = profile.cores_per_chip
    for core, x0, y0 in zip(mapped.mapping.cores, column.tolist(), row.tolist(), strict=True):
        inside = core.index % per_chip % mesh_of(profile).cores_per_tile
        x, y = MARGIN + x0 * pitch + inside % side * CELL, HEAD + y0 * pitch + inside // side * CELL
        share = _share(core, profile)
        yield (
            f'<rect x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" fill="{_colour(share)}" stroke="#456">'
            f"<title>{escape(_told(core, share))}</title></rect>"
            f'<text x="{x + CELL // 2}" y="{y + CELL // 2 + 4}" text-anchor="middle" pointer-events="none" '
            f'style="fill:{"white" if share > 0.5 else "black"}">{letters[_largest(core)]}</text>'
        )


def _share(core: Core, profile: Profile) -> float:
    return max((core.used[r] / limit for r, limit in profile.limits.items() if r in core.used), default=0.0)


def _colour(share: float) -> str:
    """Return a colour from pale to dark blue; lightness alone tells the share."""
    pale, dark = (230, 240, 250), (8, 48, 107)
    mixed = (round(a + (b - a) * min(1.0, share)) for a, b in zip(pale, dark, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _largest(core: Core) -> str:
    """Return the population that has most neurons on a core."""
    return max(core.slices, key=lambda part: part.stop - part.start).population


def _told(core: Core, share: float) -> str:
    held: dict[str, int] = {}
    for core_slice in core.slices:
        held[core_slice.population] = held.get(core_slice.population, 0) + core_slice.stop - core_slice.start
    neurons = ", ".join(f"{count} of {name}" for name, count in held.items())
    used = ", ".join(f"{resource} {amount}" for resource, amount in core.used.items())
    return f"core {core.index}: {neurons}; {used}; fullest {share:.1%}"


def _links(mapped: Mapped, profile: Profile, pitch: int, side: int) -> Iterator[str]:
    along_rows, along_columns = link_loads(profile, mapped.census, mapped.places)
    most = max(along_rows.max(initial=0.0), along_columns.max(initial=0.0))
    used = [
        ((x, y), (x + right, y + down), loads[y, x])
        for loads, right, down in ((along_rows, 1, 0), (along_columns, 0, 1))
        for y, x in np.argwhere(loads > most * ROUNDING).tolist()
    ]
    middle = side * CELL / 2
    for (xa, ya), (xb, yb), packets in sorted(used):
        ends = " ".join(
            f'{axis}="{before + at * pitch + middle:.0f}"'
            for axis, before, at in (("x1", MARGIN, xa), ("y1", HEAD, ya), ("x2", MARGIN, xb), ("y2", HEAD, yb))
        )
        yield (
            f'<line {ends} stroke="#d95f02" stroke-opacity="0.75" stroke-width="{1 + 9 * packets / most:.2f}">'
            f"<title>{packets:,.1f} packets</title></line>"
        )
