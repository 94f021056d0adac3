"""The connections of large networks: sorted by delay and source, slice by slice, so that no copy of all synapses is made."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.base.jit import compiled
from snnc.network.delays import Part
from snnc.network.model import Connection, Network
from snnc.network.narrow import type_for
from snnc.network.synapses import Synapses, stacked
from snnc.ops.dense import Dense
from snnc.simulation.engine.events import NOWHERE, Fanout

LARGE = 1 << 22  # synapses from which on a network is large
PAIRS = 16  # of a delay and a source for each synapse at most
_NONE = np.zeros(0, np.int32)


def is_sorted(net: Network, c: Connection) -> bool:
    """Tell whether a connection is one for `Sorted`: of a large network, dense, with sums that are not shifted down, and with
    synapses for a part of all pairs of a delay and a source that is worth a table of those."""
    plain = isinstance(c.op, Dense) and c.op.pool is None and c.axon_delays is None and c.op.exponent >= 0
    if not plain or sum(each.op.synapses.count for each in net.connections) <= LARGE:
        return False
    low, high = c.op.synapses.delay_extremes() or (0, 0)
    return (high - low + 1) * c.op.n_src <= PAIRS * c.op.synapses.count


class OfDelay(Synapses):
    """Those synapses of a connection that share a delay and have a weight, looked up each time that they are asked for."""

    whole: Synapses
    delay: int
    counted: int

    def __init__(self, whole: Synapses, delay: int, counted: int) -> None:
        for name, value in (("whole", whole), ("delay", delay), ("counted", counted), ("shape", whole.shape), ("delays", None)):
            object.__setattr__(self, name, value)

    @property
    def count(self) -> int:
        return self.counted

    @property
    def dtype(self) -> Any:
        return self.whole.dtype

    @property
    def _made(self) -> Synapses:
        return stacked([self._rows(*rows) for rows in self.whole.slices()])

    def _rows(self, start: int, stop: int) -> Synapses:
        block = self.whole.block(start, stop)
        here = block.values != 0 if block.delays is None else (block.values != 0) & (block.delays == self.delay)
        return replace(block.keep(here), delays=None)

    indptr = property(lambda self: self._made.indptr)
    indices = property(lambda self: self._made.indices)
    values = property(lambda self: self._made.values)


@dataclass(frozen=True, eq=False)
class Sorted:
    """A connection whose synapses are sorted by delay, then by source. Only the result is held."""

    connection: Connection
    message_bits: int

    @property
    def _synapses(self) -> Synapses:
        return self.connection.op.synapses

    @property
    def _delays(self) -> tuple[int, int]:
        """The shortest and the longest delay of a synapse."""
        return self._synapses.delay_extremes() or (0, 0)

    @cached_property
    def _starts(self) -> NDArray[Any]:
        """Where the synapses of each source begin among those of each delay, the shortest first: (delays, n_src + 1)."""
        low, high = self._delays
        dtype = np.uint32 if self._synapses.count < 1 << 32 else np.uint64
        counts = np.zeros((high - low + 1, self._synapses.shape[1] + 1), dtype)
        self._follow(lambda block, _: _count(block.indices, _delays(block), block.values, low, counts))
        return np.cumsum(counts, axis=1, out=counts)

    @cached_property
    def _occurring(self) -> tuple[int, ...]:
        """The delays that occur, as rows of `_starts`."""
        return tuple(np.flatnonzero(self._starts[:, -1]).tolist())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the connection, as `snnc.network.delays.parts` makes them."""
        c, low = self.connection, self._delays[0]
        each = ((low + at, OfDelay(self._synapses, low + at, int(self._starts[at, -1]))) for at in self._occurring)
        return tuple(Part(c.delay_steps + delay, replace(c.op, synapses=synapses)) for delay, synapses in each)

    @cached_property
    def reach(self) -> tuple[int, int]:
        """The least and the most that a step can bring to a neuron, in weight units."""
        below, above = self._synapses.row_sums()
        most = 2 ** max(self.message_bits, 1) - 1 << self.connection.op.exponent
        return int(below.min(initial=0)) * most, int(above.max(initial=0)) * most

    def fanouts(self) -> tuple[Fanout, ...]:
        """Return the synapses of each part by what they meet."""
        low, exponent = self._delays[0], self.connection.op.exponent
        sizes = self._starts[:, -1].astype(np.int64)
        begin = np.cumsum(sizes) - sizes
        of = np.empty(sizes.sum(), np.uint16 if self._synapses.shape[0] <= 1 << 16 else np.uint32)
        values = np.empty(len(of), type_for(*(int(end) << exponent for end in self._synapses.extremes())))
        free = self._starts[:, :-1] + begin[:, None].astype(self._starts.dtype)
        self._follow(
            lambda block, first: _place(
                block.indptr, block.indices, _delays(block), block.values, (low, first, exponent), free, of, values
            )
        )
        inputs, nothing = np.arange(self._synapses.shape[1]), np.zeros(0, np.int64)
        places = [(at, slice(begin[at], begin[at] + sizes[at])) for at in self._occurring]
        return tuple(
            Fanout(inputs, self._starts[at], of[here], values[here], nothing, nothing, NOWHERE, 0) for at, here in places
        )

    def _follow(self, see: Callable[[Synapses, int], None]) -> None:
        """Show all synapses, slice by slice, with the first row of each slice."""
        for start, stop in self._synapses.slices():
            see(self._synapses.block(start, stop), start)


def _delays(block: Synapses) -> NDArray[np.int32]:
    return _NONE if block.delays is None else block.delays


@compiled
def _count(indices, delays, values, low, counts):  # type: ignore[no-untyped-def]
    """Count synapses with a weight in ``counts`` (delays, sources + 1), one place further on than their source."""
    for k in range(len(indices)):
        if values[k]:
            counts[delays[k] - low if len(delays) else 0, indices[k] + 1] += 1


@compiled
def _place(indptr, indices, delays, values, numbers, free, of, into):  # type: ignore[no-untyped-def]
    """Write the row and the shifted weight of each synapse where the next one of its delay and source belongs."""
    low, first, exponent = numbers
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            if values[k]:
                delay = delays[k] - low if len(delays) else 0
                at = free[delay, indices[k]]
                free[delay, indices[k]] = at + 1
                of[at] = first + row
                into[at] = values[k] << exponent
