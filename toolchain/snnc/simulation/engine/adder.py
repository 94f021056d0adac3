"""Sums of weighted spikes as additions of single bits, for many samples at once.

A weight is written in signed binary digits (few of them are not 0), so a neuron's input is, for each power of two, a pile of
bits that add and one of bits that subtract. Full adders turn three bits of one power into one of it and one of the next, until
a bit a power is left. As x = 1 - (1 - x), the complement of a bit that adds is one that subtracts, but for a one: what is left
is turned round, takes all bits that subtract, and is turned back, where the ones cancel. Each works on whole rows of samples.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from snnc.base.jit import FORM, compiled
from snnc.simulation.engine.vector import complement, load, majority, parity, store, store_apart

Ints = NDArray[np.int64]
inlined: Any = njit(inline="always", **FORM)  # where a call would take longer than what it does

ZEROS, FIRST = 0, 1  # rows: no bit set, and where those of sources start
SUM_BITS = 32  # of a sum at most


@dataclass(frozen=True, eq=False)
class Adders:
    """The full adders of many sums, in the order in which they run.

    Sum p is ``stream[starts[p]:]``, for each power: the row that it starts with, the number of adders that take bits that
    subtract, the number of those that take bits that add, and the two rows of each. What they carry goes to the rows from
    ``scratch`` on, or, every second power, from ``scratch + carried`` on.
    """

    stream: NDArray[np.int32]
    starts: Ints  # (sums,)


def digits(values: Ints) -> tuple[Ints, ...]:
    """Return (number of the value, power of two, 1 or -1) of the digits of each value, as few as can be (non-adjacent form)."""
    left, at, numbers, powers, signs = values.copy(), 0, [], [], []
    while left.any():
        digit = (left & 1) * (2 - (left & 3))
        positions = np.flatnonzero(digit)
        numbers.append(positions)
        powers.append(np.full(len(positions), at))
        signs.append(digit[positions])
        left = (left - digit) >> 1
        at += 1
    return tuple(np.concatenate([[], *x]).astype(np.int64) for x in (numbers, powers, signs))


def two_complement_bits(low: int, high: int) -> int:
    """Return how many bits hold every number from ``low`` to ``high``."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


@dataclass(frozen=True, eq=False)
class Piles:
    """The bits that sums are made of: of each power ``heights[p, power]`` bits that subtract, and that add; their rows follow
    one another in ``rows``."""

    heights: Ints  # (sums, bits, 2)
    rows: NDArray[np.int32]

    @cached_property
    def adders(self) -> Ints:
        """How many each pile takes, bits that are carried included; an adder takes two. Shape (sums, bits, 2)."""
        adders = np.zeros_like(self.heights)
        for power in range(adders.shape[1]):
            carried = adders[:, power - 1] if power else 0
            adders[:, power] = (self.heights[:, power] + carried + [1, 0]) // 2  # the first bit that adds is what it starts with
        return adders

    @property
    def carried(self) -> int:
        """The most bits that a power carries to the next."""
        return int(self.adders.sum(axis=2).max(initial=0))


def piles(sums: int, of: Ints, power: Ints, rows: Ints, negative: NDArray[np.bool_], bits: int) -> Piles:
    """Pile the bits of ``sums`` sums: bit k, worth 2**power[k] in sum of[k], lies in row rows[k]; negative[k] subtracts it."""
    inside = power < bits  # what lies above wraps away, as the sum is known to fit
    pile = ((of * bits + power) * 2 + ~negative)[inside]
    heights = np.bincount(pile, minlength=sums * bits * 2).reshape(sums, bits, 2)
    return Piles(heights, rows[inside][np.argsort(pile, kind="stable")].astype(np.int32))


def adders(piled: Piles, scratch: int, carried: int, offset: int) -> Adders:
    """Return adders for piles; sources were numbered as if they started at row `FIRST`, and lie ``offset`` rows further on."""
    lengths = 3 * piled.heights.shape[1] + 2 * piled.adders.sum(axis=(1, 2))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    stream = np.empty(starts[-1], np.int32)
    moved = np.where(piled.rows >= FIRST, piled.rows + offset, piled.rows).astype(np.int32)
    _schedule(piled.heights, piled.adders, moved, scratch, carried, stream)
    return Adders(stream, starts[:-1])


@compiled
def _schedule(heights, adders, rows, scratch, carried, stream):  # type: ignore[no-untyped-def]
    """Fill ``stream``; of each kind carried bits are used last, when they have long been stored."""
    queue, at, k = np.empty(rows.shape[0] + stream.shape[0] + 2, np.int32), 0, 0
    for p in range(heights.shape[0]):
        for power in range(heights.shape[1]):
            carry, head, k = scratch + carried * ((power + 1) & 1), k, k + 3
            for adds in range(2):
                length = heights[p, power, adds]
                queue[:length] = rows[at : at + length]
                at += length
                for _ in range(adders[p, power - 1, adds] if power else 0):
                    queue[length], length, carry = carry, length + 1, carry + 1
                queue[length] = queue[length + 1] = ZEROS
                count = adders[p, power, adds]
                stream[k : k + 2 * count] = queue[adds : adds + 2 * count]
                stream[head + 1 + adds], k = count, k + 2 * count
            stream[head] = queue[0]


@compiled
def add(rows, stream, start, bits, scratch, carried, sums):  # type: ignore[no-untyped-def]
    """Run the adders of one sum; its bits go to ``sums`` (steps, SUM_BITS, words), lowest first."""
    k = np.uint64(start)  # unsigned: numba need not look for -1
    for power in range(bits):
        left, head, carry = load(rows, stream[k]), k, scratch + carried * (power & 1)
        k += np.uint64(3)
        for adds in range(np.uint64(1), np.uint64(3)):
            left = complement(left)
            for _ in range(stream[head + adds]):
                x, y = load(rows, stream[k]), load(rows, stream[k + np.uint64(1)])
                store(rows, carry, majority(left, x, y))
                left, carry, k = parity(left, x, y), carry + 1, k + np.uint64(2)
        store_apart(sums, power, left, SUM_BITS)
