"""Kernel for many samples side by side, a bit each: wins when many neurons fire, as its time does not depend on the spikes."""

from functools import cache
from typing import Any

import numpy as np

from snnc.base.jit import compiled
from snnc.simulation.engine.adder import FIRST, SUM_BITS, add
from snnc.simulation.engine.emit import fire_samples
from snnc.simulation.engine.turning import transpose
from snnc.simulation.engine.vector import EACH, GROUP, LANES, load, load_narrow, store, store_narrow

# columns of the table of parts: one row for each part of a connection
START, BITS, SHIFT, OWN, SLOTS, GATHER, WINDOW = range(7)
COLUMNS = 7


@cache
def advancing(text: str, direct: bool) -> Any:
    """Return the kernel for neurons whose step is the program ``text``; ``direct`` if one part's sums are the whole current."""

    @compiled
    def advance(rows, sums, current, states, parameters, numbers, stream, starts, carried, table, gather, places, steps, out):  # type: ignore[no-untyped-def]
        """Run some steps of a population for `LANES` samples; its spikes go to the rows from ``out`` on.

        As many steps as a row holds are summed at once, and the first ``steps`` of them are taken. Neuron (channel, place) gets
        sum number channel, or channel * places + place where column OWN is set, of each part.
        """
        n, width = states.shape[1], sums.shape[0]
        for place in range(places):
            _window(rows, table, gather, place)
            for channel in range(n // places):
                neuron = channel * places + place
                for part in range(table.shape[0]):
                    p = table[part, START] + (neuron if table[part, OWN] else channel)
                    add(rows, stream, starts[p], table[part, BITS], FIRST, carried, sums)
                    for step in range(steps):
                        _collect(sums, step, current, table[part, BITS], table[part, SHIFT], part == 0, direct)
                for step in range(steps):
                    spikes = fire_samples(text, states, parameters, numbers, current, step, neuron)
                    store_narrow(rows, (out + neuron) * width + step, spikes)

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
def _collect(sums, step, current, bits, shift, first, direct):  # type: ignore[no-untyped-def]
    """Add the numbers of a step whose bits are in ``sums``, shifted, to ``current``, in the order of `transpose`."""
    start, long = step * SUM_BITS, bits > GROUP
    sign = load_narrow(sums, start + bits - 1)
    for power in range(bits, 2 * GROUP if long else GROUP):
        store_narrow(sums, start + power, sign)
    transpose(sums, start)
    if direct:
        return
    up, down, low, before = max(shift, 0), max(-shift, 0), sums[step].reshape(-1).view(np.int16), 0 if first else -1
    if not long:
        for i in range(LANES):
            current[step, i] = (current[step, i] & before) + ((np.int32(low[i]) << up) >> down)
        return
    transpose(sums, start + GROUP)
    for i in range(LANES):
        value = (np.int32(low[LANES + i]) << 16) | (np.int32(low[i]) & 0xFFFF)
        current[step, i] = (current[step, i] & before) + ((value << up) >> down)


def order() -> Any:
    """Return the sample in each place of a neuron's states, shape (LANES,): what `transpose` makes of samples in order."""
    return (np.arange(EACH)[None, :] * GROUP + np.arange(GROUP)[:, None]).reshape(-1)
