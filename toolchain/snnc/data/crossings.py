"""Level crossing: how a signal that changes becomes events, also called send-on-delta or sigma-delta."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import DataError
from snnc.network.events import Events

UP, DOWN = 0, 1  # polarities


def level_crossings(values: NDArray[Any], thresholds: Sequence[int], step_us: int) -> Events:
    """Return an event whenever a signal has moved by a threshold since its last event, up or down.

    A signal starts at its first value. Between two values it is taken as a straight line, so that one step may bring several
    events, each at the microsecond (rounded down) at which the line crosses the level.

    Args:
        values: Integers (samples, steps, signals).
        thresholds: Positive integers; each has a row of the sensor.
        step_us: Microseconds between two values.

    Returns:
        Events of a sensor of (2, thresholds, signals): up and down, one row for each threshold.

    Raises:
        DataError: Values are no integers, or a threshold is not positive.

    Source: K. J. Åström and B. Bernhardsson, "Comparison of Riemann and Lebesgue sampling for first order stochastic systems",
    CDC 2002; with the interpolation in time of Müller-Cleve et al. 2022 (doi 10.3389/fnins.2022.951164).
    """
    if values.ndim != 3 or values.dtype.kind not in "iu" or min(thresholds, default=0) < 1:
        raise DataError(
            f"has signals of {values.dtype} and shape {values.shape}, thresholds {tuple(thresholds)}",
            fix="pass integers (samples, steps, signals) and thresholds from 1 on",
        )
    columns = [_crossed(values.astype(np.int64), threshold, step_us) for threshold in thresholds]
    rows = np.repeat(np.arange(len(columns)), [c.shape[1] for c in columns])
    sample, t, signal, polarity = np.concatenate(columns, axis=1)
    order = np.lexsort((signal, rows, polarity, t, sample))
    counts = np.bincount(sample, minlength=len(values))
    sensor = (2, len(thresholds), values.shape[2])
    place = (polarity * sensor[1] + rows) * sensor[2] + signal
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Events(offsets, t[order].astype(np.uint32), place[order].astype(np.uint32), sensor)


def _crossed(values: NDArray[np.int64], threshold: int, step_us: int) -> NDArray[np.int64]:
    """Return the crossings of one threshold, in rows sample, time, signal and polarity."""
    level = values[:, 0].copy()
    levels, moves = np.empty_like(values[:, 1:]), np.empty_like(values[:, 1:])
    for i in range(moves.shape[1]):
        levels[:, i] = level
        moved = values[:, i + 1] - level
        moves[:, i] = np.sign(moved) * (np.abs(moved) // threshold)
        level += moves[:, i] * threshold
    at = np.nonzero(moves)
    crossings = np.abs(moves[at])
    first = np.cumsum(crossings) - crossings
    nth = np.arange(crossings.sum()) - np.repeat(first, crossings) + 1
    sample, step, signal = (np.repeat(index, crossings) for index in at)
    sign = np.sign(moves[sample, step, signal])
    before, now = values[sample, step, signal], values[sample, step + 1, signal]
    way = np.abs(levels[sample, step, signal] + sign * nth * threshold - before)
    t = step * step_us + way * step_us // np.abs(now - before)
    return np.stack([sample, t, signal, np.where(sign > 0, UP, DOWN)])
