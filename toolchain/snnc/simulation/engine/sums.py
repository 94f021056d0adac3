"""The currents of a population as sums of bits: which rows of spikes its connections need, and the adders on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snnc.network.delays import Part
from snnc.simulation.engine.adder import FIRST, SUM_BITS, ZEROS, Piles, digits, piles, two_complement_bits
from snnc.simulation.engine.lanes import COLUMNS
from snnc.simulation.engine.taps import Ints, Taps, pooled, reach, shared_zeros, taps


@dataclass(frozen=True, eq=False)
class Feed:
    """Rows with the messages that a population sent some steps ago, for each bit of a message."""

    src: str
    delay_steps: int
    sources: NDArray[np.bool_] | None  # (n,): whose messages; None: all
    planes: int  # bits of a message
    n: int

    @property
    def key(self) -> tuple[str, int, bytes | None]:
        return self.src, self.delay_steps, None if self.sources is None else self.sources.tobytes()

    @property
    def rows(self) -> int:
        return self.planes * self.n


@dataclass(frozen=True, eq=False)
class Summed:
    """A part of a connection: piles of bits, and what each place of a plane brings to the rows that they name.

    Row numbers are those of a board whose sources start at `FIRST`.
    """

    piled: Piles
    shift: int  # what the sums are shifted by
    own: bool  # a sum for each neuron, not for each channel
    window: int  # the first row of the window
    gather: NDArray[np.int32]  # (places, slots): the rows to bring there
    low: int  # the least and the most of a current, shifted
    high: int


def summed(part: Part, feed: Feed, first: int, window: int, message_bits: int) -> Summed | None:
    """Return the sums of a part whose feed starts at row ``first``; its window may use the rows from ``window`` on.

    None if a sum does not fit in SUM_BITS bits, or is not all that its operator computes.
    """
    if not part.op.linear:
        return None
    weights, cells = taps(part.op), pooled(part.op)
    zeros = shared_zeros(weights.values)
    low, high = (end >> zeros for end in reach(part, message_bits))
    shift, bits = zeros + part.op.exponent, two_complement_bits(low, high)
    ends = (low << shift, high << shift) if shift >= 0 else (low >> -shift, high >> -shift)
    if max(bits, two_complement_bits(*ends)) > SUM_BITS:
        return None
    number, power, sign = digits(weights.values >> zeros)
    number, power, sign, plane, cell = _repeated(number, power, sign, feed.planes, 1 if cells is None else cells.shape[1])
    negative, slot = sign < 0, weights.slot[number]
    if weights.window is None:
        source = slot if cells is None else cells[slot, cell]
        there = source >= 0
        rows, gather = first + plane * feed.n + source, np.zeros((1, 0), np.int32)
        piled = piles(weights.sums, weights.of[number][there], (power + plane)[there], rows[there], negative[there], bits)
        return Summed(piled, shift, True, window, gather, *ends)
    used, at = np.unique((slot * feed.n + cell) * feed.planes + plane, return_inverse=True)
    gather = _gather(weights, cells, *np.divmod(used, feed.planes), feed.n, first)
    piled = piles(weights.sums, weights.of[number], power + plane, window + at, negative, bits)
    return Summed(piled, shift, False, window, gather, *ends)


def _repeated(number: Ints, power: Ints, sign: Ints, planes: int, cells: int) -> tuple[Ints, ...]:
    """Repeat every digit for each bit of a message and each cell of a pool."""
    often = planes * cells
    plane, cell = (x.reshape(-1) for x in np.divmod(np.arange(often), cells))
    many = len(number)
    return *(np.repeat(x, often) for x in (number, power, sign)), np.tile(plane, many), np.tile(cell, many)


def _gather(weights: Taps, cells: NDArray[np.int64] | None, met: Ints, plane: Ints, n: int, first: int) -> NDArray[np.int32]:
    """Return for each place the row of each (slot and cell, bit of a message) that is used; outside the plane nothing is sent."""
    slot, cell = np.divmod(met, n)
    inputs = weights.met()[:, slot]
    sources = inputs if cells is None else np.where(inputs < 0, -1, cells[inputs, cell])
    return np.where(sources >= 0, first + plane * n + sources, ZEROS).astype(np.int32)


def table(parts: Sequence[Summed], moved: int) -> tuple[Ints, NDArray[np.int32]]:
    """Return what the kernel reads of the parts: (parts, COLUMNS) numbers, and gathered rows; sources lie ``moved`` rows on."""
    rows, start, gathered = [], 0, [np.zeros(0, np.int32)]
    for part in parts:
        at = sum(len(g) for g in gathered)
        slots = part.gather.shape[1]
        rows.append([start, part.piled.heights.shape[1], part.shift, part.own, slots, at, part.window + moved])
        gathered.append(np.where(part.gather >= FIRST, part.gather + moved, part.gather).reshape(-1).astype(np.int32))
        start += len(part.piled.heights)
    return np.array(rows, np.int64).reshape(-1, COLUMNS), np.concatenate(gathered)
