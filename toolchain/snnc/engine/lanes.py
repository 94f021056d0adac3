"""Kernel for many samples side by side, a bit each: wins when many neurons fire, as its time does not depend on the spikes."""

from functools import cache
from typing import Any

import numpy as np

from snnc.engine.adder import add, compiled
from snnc.engine.emit import fire_samples
from snnc.engine.vector import EACH, GROUP, LANES, complement, load, repeat, store, transpose

# columns of the table of parts: one row for each part of a connection
START, BITS, SHIFT, OWN, SLOTS, GATHER, WINDOW = range(7)
COLUMNS = 7


@cache
def advancing(text: str, direct: bool) -> Any:
    """The kernel for neurons whose step is the program ``text``; ``direct`` if one part's sums are the current as they are."""

    @compiled
    def advance(rows, sums, current, states, parameters, numbers, stream, starts, table, gather, places, scratch, out):  # type: ignore[no-untyped-def]
        """One step of a population for `LANES` samples; its spikes and their complement go to the rows from ``out`` on.

        Neuron (channel, place) gets sum number channel, or channel * places + place where column OWN is set, of each part.
        """
        n = states.shape[1]
        for place in range(places):
            _window(rows, table, gather, place)
            for channel in range(n // places):
                neuron = channel * places + place
                for part in range(table.shape[0]):
                    p = table[part, START] + (neuron if table[part, OWN] else channel)
                    add(rows, stream, starts[p], starts[p + 1], scratch, sums)
                    _collect(sums, current, table[part, BITS], table[part, SHIFT], part == 0, direct)
                spikes = repeat(np.uint64(0))
                for group in range(GROUP):
                    spikes = fire_samples(text, states, parameters, numbers, current, neuron, group, spikes)
                store(rows, out + neuron, spikes)
                store(rows, out + n + neuron, complement(spikes))

    return advance


@compiled
def _window(rows, table, gather, place):  # type: ignore[no-untyped-def]
    """Bring what a place of a plane sees to where the sums expect it."""
    for part in range(table.shape[0]):
        slots = table[part, SLOTS]
        for slot in range(slots):
            source = gather[table[part, GATHER] + place * slots + slot]
            store(rows, table[part, WINDOW] + slot, load(rows, source))


@compiled
def _collect(sums, current, bits, shift, first, direct):  # type: ignore[no-untyped-def]
    """Add the numbers whose bits are in ``sums``, shifted, to ``current``, in the order of `transpose`."""
    sign, wide = load(sums, bits - 1), bits > GROUP
    for power in range(bits, 2 * GROUP if wide else GROUP):
        store(sums, power, sign)
    transpose(sums, 0)
    if direct:
        return
    if first:
        current[:] = 0
    up, down, low = max(shift, 0), max(-shift, 0), sums.view(np.int16)
    if not wide:
        for i in range(LANES):
            current[i] += (np.int32(low[i]) << up) >> down
        return
    transpose(sums, GROUP)
    for i in range(LANES):
        value = (np.int32(low[LANES + i]) << 16) | (np.int32(low[i]) & 0xFFFF)
        current[i] += (value << up) >> down


def order() -> Any:
    """The sample in each place of a neuron's states, shape (LANES,): what `transpose` makes of samples in order."""
    return (np.arange(EACH)[None, :] * GROUP + np.arange(GROUP)[:, None]).reshape(-1)
