"""Sums of weighted spikes as additions of single bits, for many samples at once.

A weight is written in signed binary digits (few of them are not 0), so a neuron's input is a pile of bits, each worth a power
of two: a source's spikes where the digit is 1, their complement where it is -1, as -x = (1 - x) - 1. Full adders turn three
bits of one power into one of it and one of the next, until a bit a power is left. Each works on whole rows of samples.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from snnc.engine.vector import both, load, majority, parity, repeat, store

Ints = NDArray[np.int64]
compiled: Any = njit(nogil=True, cache=True, error_model="numpy")

ZEROS, ONES, FIRST = 0, 1, 2  # rows: no bit set, all set, and where those of sources start


@dataclass(frozen=True, eq=False)
class Adders:
    """The full adders of many sums, in the order in which they run.

    Sum p is made by the adders ``starts[p]`` .. ``starts[p + 1]``. Adder k adds the rows ``stream[2 * k] // 2`` and
    ``stream[2 * k + 1]`` to what the adder before left, or, if ``stream[2 * k]`` is odd, to nothing, as the next power of two
    begins.
    """

    stream: NDArray[np.int32]  # (2 * adders,)
    starts: Ints  # (sums + 1,)


def digits(values: Ints) -> tuple[Ints, ...]:
    """(number of the value, power of two, 1 or -1) of the digits of each value in the form with fewest (non-adjacent form)."""
    left, at, numbers, powers, signs = values.copy(), 0, [], [], []
    while left.any():
        digit = (left & 1) * (2 - (left & 3))
        found = np.flatnonzero(digit)
        numbers.append(found)
        powers.append(np.full(len(found), at))
        signs.append(digit[found])
        left = (left - digit) >> 1
        at += 1
    return tuple(np.concatenate([[], *x]).astype(np.int64) for x in (numbers, powers, signs))


def two_complement_bits(low: int, high: int) -> int:
    """How many bits hold every number from ``low`` to ``high``."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True, eq=False)
class Piles:
    """The bits that sums are made of: ``heights[p, power]`` bits of each power, whose rows follow one another in ``rows``."""

    heights: Ints  # (sums, bits)
    rows: NDArray[np.int32]

    @property
    def longest(self) -> int:
        """The most adders that a sum takes, which is the most rows that it carries."""
        return int(_adders_of(self.heights).max(initial=0))


def piles(sums: int, of: Ints, power: Ints, rows: Ints, negative: NDArray[np.bool_], bits: int) -> Piles:
    """Of ``sums`` sums: bit k is worth 2**power[k] in sum of[k] and lies in row rows[k], which is a complement if negative[k]."""
    less = np.zeros(sums, np.int64)
    np.subtract.at(less, of[negative], np.left_shift(1, power[negative]))
    fixed_sum, fixed_power = np.nonzero(less[:, None] >> np.arange(bits) & 1)
    of, power = np.concatenate([of, fixed_sum]), np.concatenate([power, fixed_power])
    rows = np.concatenate([rows, np.full(len(fixed_sum), ONES)])
    inside = power < bits  # what lies above wraps away, as the sum is known to fit
    of, power, rows = of[inside], power[inside], rows[inside]
    order = np.lexsort((power, of))
    heights = np.bincount(of * bits + power, minlength=sums * bits).reshape(sums, bits)
    return Piles(heights, rows[order].astype(np.int32))


def adders(piled: Piles, scratch: int, offset: int) -> Adders:
    """Adders for piles. ``scratch``: the row from which on each sum keeps what it carries. Sources were numbered as if they
    started at row `FIRST`, and lie ``offset`` rows further on."""
    starts = np.concatenate([[0], np.cumsum(_adders_of(piled.heights))]).astype(np.int64)
    stream = np.empty(2 * starts[-1], np.int32)
    moved = np.where(piled.rows >= FIRST, piled.rows + offset, piled.rows).astype(np.int32)
    _schedule(piled.heights, moved, starts, scratch, stream)
    return Adders(stream, starts)


def _adders_of(heights: Ints) -> Ints:
    """How many adders each pile of bits takes: one for each two bits of a power, those carried included; at least one."""
    count, carried = np.zeros(len(heights), np.int64), np.zeros(len(heights), np.int64)
    for power in range(heights.shape[1]):
        carried = np.maximum((heights[:, power] + carried + 1) // 2, 1)
        count += carried
    return count


@compiled
def _schedule(heights, rows, starts, scratch, stream):  # type: ignore[no-untyped-def]
    """Fill ``stream``; carried bits are used last, when they have long been stored."""
    queue = np.empty(rows.shape[0] + stream.shape[0] + 2, np.int32)
    at = 0
    for p in range(heights.shape[0]):
        k, first_carry = starts[p], starts[p]
        for power in range(heights.shape[1]):
            length, last_carry = heights[p, power], k
            queue[:length] = rows[at : at + length]
            at += length
            for carry in range(first_carry, last_carry):
                queue[length] = scratch + carry - starts[p]
                length += 1
            first_carry = k
            queue[length], queue[length + 1] = ZEROS, ZEROS
            for i in range(0, max(length, 1), 2):
                stream[2 * k], stream[2 * k + 1] = 2 * queue[i] + (i == 0), queue[i + 1]
                k += 1


@compiled
def add(rows, stream, first, last, scratch, sums):  # type: ignore[no-untyped-def]
    """Run the adders ``first`` .. ``last`` of one sum; its bits go to ``sums``, lowest first."""
    left, power, carry = load(rows, ZEROS), -1, scratch
    for k in range(np.uint64(2 * first), np.uint64(2 * last), np.uint64(2)):  # unsigned: numba need not look for -1
        start = stream[k] & 1
        power += start
        left = both(left, repeat(np.uint64(start) - np.uint64(1)))
        x, y = load(rows, stream[k] >> 1), load(rows, stream[k + np.uint64(1)])
        store(rows, carry, majority(left, x, y))
        carry += 1
        left = parity(left, x, y)
        store(sums, power, left)
