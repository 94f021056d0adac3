"""The delays of a connection, taken apart. Used by the reference simulator and the bounds.

Messages that arrive in the same step over different delays are weighed, and their sums shifted by the weight exponent, on
their own, then added: as in Lava 0.10.0, lava/proc/sparse/models.py (DelaySparse), where it matters for exponents below 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Numeric
from snnc.network.model import Connection
from snnc.network.op import Op


@dataclass(frozen=True, eq=False)
class Part:
    """The synapses of a connection that share a delay."""

    delay_steps: int
    op: Op
    sources: NDArray[np.bool_] | None = None  # (n_src,): whose messages it carries; None: all

    def current(self, messages: NDArray[Any], numeric: Numeric) -> NDArray[Any]:
        """Turn messages (samples, n_src) into currents (samples, n_dst) in weight units."""
        return self.op.apply(messages if self.sources is None else messages * self.sources, numeric)

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return `Op.sums` over the sources of the part."""
        if self.sources is None:
            return self.op.sums(values)
        total: NDArray[Any] = self.op.with_values(values).weigh(self.sources[None].astype(values.dtype))[0]
        return total


def parts(c: Connection) -> tuple[Part, ...]:
    """Return a connection as one part for each delay that occurs, in ascending order."""
    delays = c.op.synapses.delays
    if delays is not None:
        return tuple(Part(c.delay_steps + d, replace(c.op, synapses=c.op.synapses.only(at))) for d, at in _by_delay(delays))
    if c.axon_delays is not None:
        return tuple(Part(c.delay_steps + int(d), c.op, c.axon_delays == d) for d in np.unique(c.axon_delays))
    return (Part(c.delay_steps, c.op),)


def _by_delay(delays: NDArray[np.int32]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each delay that occurs, in ascending order, with the places of its synapses."""
    short = delays.astype(np.uint16) if delays.max(initial=0) < 1 << 16 else delays  # 16 bits are sorted in linear time
    order = np.argsort(short, kind="stable")
    values, counts = np.unique(short, return_counts=True)
    starts = np.cumsum(counts) - counts
    yield from zip(values.tolist(), np.split(order, starts[1:]) if len(order) else (), strict=True)
