"""How surely a mean is known."""

import statistics
from collections.abc import Sequence

from scipy.stats import t


def interval(points: Sequence[float]) -> tuple[float, float | None]:
    """Return the mean and half of its 95 % interval (Student's t); one number has no interval."""
    mean = statistics.mean(points)
    if len(points) < 2:
        return mean, None
    return mean, float(t.ppf(0.975, len(points) - 1)) * statistics.stdev(points) / len(points) ** 0.5
