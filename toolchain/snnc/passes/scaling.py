"""Floats <-> a chip's integers at a given scale: weights, thresholds, biases, decays. Used to quantise and to inspect.

At scale s a float weight w is the integer s * w / 2**exponent on the grid of its sign mode, a threshold is s * threshold, a
bias is s * bias * 2**state_shift, and a decay is in units of 2**-decay_bits whatever the scale.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import NetworkError
from snnc.network.arithmetic import Fixed
from snnc.network.op import Op, SignMode, weight_grid
from snnc.network.units import DECAY, Unit

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def encode_weights(op: Op, scale: float, exponent: int, mode: SignMode, numeric: Fixed) -> Op:
    """Put each weight on the nearest value of its grid: off by at most half a grid step * 2**exponent / scale.

    Raises NetworkError if a weight lies beyond the grid.
    """
    must_lie_on_grid(op.synapses.extremes(), scale, exponent, mode, numeric)
    grid = weight_grid(numeric, mode)
    on_grid = op.synapses.on_grid(scale / 2.0**exponent / grid.step, grid.step)
    return replace(op, synapses=on_grid, exponent=exponent, sign_mode=mode)


def must_lie_on_grid(ends: tuple[float, float], scale: float, exponent: int, mode: SignMode, numeric: Fixed) -> None:
    """Raise NetworkError unless weights between two ends lie on their grid once they are rounded."""
    grid = weight_grid(numeric, mode)
    low, high = (np.rint(np.array(ends) * (scale / 2.0**exponent / grid.step)) * grid.step).tolist()
    if low < grid[0] or high > grid[-1]:
        raise NetworkError(
            f"weights become {low:.0f} .. {high:.0f}, {mode} weights reach {grid[0]} .. {grid[-1]}",
            fix=f"use a scale of at most {scale * _shrink(low, high, grid):.6g} or a higher exponent",
        )


def _shrink(low: float, high: float, grid: range) -> float:
    """Return by what the weights must be multiplied to lie on the grid."""
    if (low < 0 and grid[0] == 0) or (high > 0 and grid[-1] == 0):
        return 0.0
    return min(grid[0] / low if low < grid[0] else 1.0, grid[-1] / high if high > grid[-1] else 1.0)


def decode_weights(op: Op, scale: float) -> Floats:
    """Return the float weights that an integer operator stands for: shape (synapses,)."""
    return np.asarray(op.synapses.values * (2.0**op.exponent / scale))


def encode_parameter(value: Any, unit: Unit, offset: int, scale: float, numeric: Fixed) -> Ints:
    """Round to the nearest integers. Raises NetworkError if one is out of the chip's range.

    A decay of 1, after which nothing is left, becomes the largest that the chip holds.
    """
    one = unit.per_float(scale, numeric)
    exact = np.asarray(value, np.float64) * one
    rounded = unit.rounded(exact, numeric)
    low, high = unit.integers(numeric, offset)
    if unit is DECAY and np.max(value) <= 1:
        rounded = np.minimum(rounded, high)
    if rounded.min() < low or rounded.max() > high:
        raise NetworkError(
            f"{np.min(value):.6g} .. {np.max(value):.6g} becomes {rounded.min():.0f} .. {rounded.max():.0f}, "
            f"{numeric.profile} holds {low} .. {high}",
            fix=f"use values from {low / one:.6g} to {high / one:.6g}",
        )
    return np.asarray(rounded, np.int64)


def decode_parameter(value: Ints, unit: Unit, scale: float, numeric: Fixed) -> Floats:
    """Return the floats that integers stand for."""
    return np.asarray(value / unit.per_float(scale, numeric))
