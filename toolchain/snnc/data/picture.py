"""A sample as lines of text: an image, or the places of a raster over time; the darker a mark, the more there is."""

from math import prod

import numpy as np
from numpy.typing import NDArray

from snnc.data.dataset import Dataset
from snnc.network.events import Events

SHADES = " .:-=+*#%@"
ROWS, COLUMNS = 24, 72  # at most


def picture(data: Dataset, sample: int) -> list[str]:
    """Return the lines of one sample: rows and columns of an image, or places (down) and time (across) of rasters and events.

    Neighbours are added where there are more than `ROWS` or `COLUMNS`.
    """
    return [
        "".join(SHADES[shade] for shade in row).rstrip() for row in _shades(_shrunk(_plane(data, sample), ROWS, COLUMNS)).tolist()
    ]


def _plane(data: Dataset, sample: int) -> NDArray[np.float64]:
    if isinstance(data.samples, Events):
        one = data.samples[slice(sample, sample + 1)]
        plane = np.zeros((prod(data.shape), COLUMNS))
        np.add.at(plane, (one.place, one.t.astype(np.int64) * COLUMNS // (one.longest_us + 1)), 1)
        return plane[plane.any(axis=1)] if plane.any() else plane
    dense: NDArray[np.float64] = data.samples[sample].astype(np.float64)
    if dense.ndim == 2:
        return dense.T
    rows = data.shape[-2] if len(data.shape) > 1 else 1
    first: NDArray[np.float64] = dense.reshape(-1, rows, data.shape[-1])[0]
    return first


def _shrunk(plane: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    for axis, most in ((0, rows), (1, columns)):
        if plane.shape[axis] > most:
            starts = np.arange(most) * plane.shape[axis] // most
            plane = np.asarray(np.add.reduceat(plane, starts, axis), np.float64)
    return plane


def _shades(plane: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a shade for each value: the first for nothing, the last for the most."""
    shades: NDArray[np.int64] = np.ceil(plane / max(plane.max(initial=0), 1) * (len(SHADES) - 1)).astype(np.int64)
    return shades
