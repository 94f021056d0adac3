"""Matrices as pictures: the shade of a cell tells its size, its colour the sign. SVG in the page's colours. Part of report."""

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 8  # shades of a colour
WIDTH, TALLEST = 300, 300  # of the matrix, in the picture's own pixels
LEFT, BOTTOM, TEXT = 44, 40, 12  # room beside and below, for the axes; height of a letter

Floats = NDArray[np.float64]


def grid(key: str, alt: str, values: Floats, x: tuple[str, int], y: tuple[str, int]) -> str:
    """Draw a matrix of values from -1 to 1, row 0 on top. ``x`` and ``y``: what an axis counts, and how many there are.

    ``key`` is not needed, as the picture has no ids.
    """
    rows, columns = values.shape
    side = min(WIDTH / columns, max(TALLEST / rows, 2.0))
    width, height = columns * side, rows * (min(side, TALLEST / rows) if rows * side > TALLEST else side)
    shades = "".join(_shades(values))
    return (
        f'<svg viewBox="0 0 {LEFT + WIDTH + 8} {height + BOTTOM + 8:g}" role="img" aria-label="{escape(alt)}">'
        f'<g transform="translate({LEFT},8) scale({width / columns:.4g},{height / rows:.4g})">{shades}</g>'
        f'<rect x="{LEFT}" y="8" width="{width:g}" height="{height:g}" fill="none" stroke="var(--faint)"/>'
        f"{''.join(_axes(width, height, x, y))}</svg>"
    )


def _shades(values: Floats) -> Iterator[str]:
    """Draw the cells of a sign and shade as one path, neighbours in a row as one rectangle."""
    shade = np.rint(np.clip(values, -1, 1) * LEVELS).astype(np.int64)
    shade = np.where((shade == 0) & (values != 0), np.sign(values).astype(np.int64), shade)  # a little is not nothing
    for level in np.unique(shade).tolist():
        if level:
            path = "".join(f"M{start} {row}h{stop - start}v1h{start - stop}z" for row, start, stop in _runs(shade == level))
            yield f'<path d="{path}" fill="var(--c{1 if level > 0 else 2})" fill-opacity="{abs(level) / LEVELS:g}"/>'


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Return (row, first, last + 1) of each run of true cells."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    turns = np.diff(padded, axis=1)
    starts, stops = np.argwhere(turns == 1), np.argwhere(turns == -1)
    for (row, start), (_, stop) in zip(starts.tolist(), stops.tolist(), strict=True):
        yield row, start, stop


def _axes(width: float, height: float, x: tuple[str, int], y: tuple[str, int]) -> Iterator[str]:
    def text(at_x: float, at_y: float, words: str, anchor: str, more: str = "") -> str:
        return (
            f'<text x="{at_x:g}" y="{at_y:g}" font-size="{TEXT}" fill="var(--ink)" text-anchor="{anchor}"{more}>'
            f"{escape(words)}</text>"
        )

    below = 8 + height + TEXT + 2
    yield text(LEFT, below, "0", "start") + text(LEFT + width, below, f"{x[1] - 1:,}", "end")
    yield text(LEFT + width / 2, below + TEXT + 4, x[0], "middle")
    yield text(LEFT - 4, 8 + TEXT, "0", "end") + text(LEFT - 4, 8 + height, f"{y[1] - 1:,}", "end")
    middle = 8 + height / 2
    yield text(TEXT, middle, y[0], "middle", f' transform="rotate(-90 {TEXT} {middle:g})"')


def density(rows: NDArray[Any], columns: NDArray[Any], shape: tuple[int, int], most: tuple[int, int]) -> Floats:
    """Return which part of each tile of a sparse matrix exists, with at most ``most`` tiles along each side: from 0 to 1."""
    tiles = tuple(min(n, limit) for n, limit in zip(shape, most, strict=True))
    at = [np.asarray(index, np.int64) * t // n for index, t, n in zip((rows, columns), tiles, shape, strict=True)]
    counts = np.zeros(tiles)
    np.add.at(counts, tuple(at), 1)
    sizes = [np.bincount(np.arange(n) * t // n, minlength=t) for n, t in zip(shape, tiles, strict=True)]
    part: Floats = counts / np.outer(*sizes)
    return part


def mosaic(tiles: Floats, columns: int) -> Floats:
    """Put pictures (n, height, width) side by side, ``columns`` in a row, with a cell of 0 between two."""
    n, height, width = tiles.shape
    rows = -(-n // columns)
    whole = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1))
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        whole[top : top + height, left : left + width] = tile
    return whole
