"""The largest of some numbers, row by row. Used by operators, to bound a step in which few messages are sent."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def largest_sums(rows: Ints, values: NDArray[Any], often: Ints | int, most: int, n: int) -> NDArray[Any]:
    """Return for each of ``n`` rows the sum of its ``most`` largest values, each there ``often`` times; none is below 0."""
    order = np.lexsort((-values, rows))
    rows, values, often = rows[order], values[order], np.broadcast_to(often, values.shape)[order]
    before = np.cumsum(often) - often
    first = np.searchsorted(rows, np.arange(n))  # where each row begins
    taken = before - before[np.minimum(first, len(rows) - 1)][rows] if len(rows) else before
    total = np.zeros(n, values.dtype)
    np.add.at(total, rows, values * np.clip(most - taken, 0, often))
    return total
