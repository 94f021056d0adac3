"""Which neuron is in which lane: every source's synapses are shared out evenly, as the longest share decides the time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.delays import parts
from snnc.network.model import Network, Population

Ints = NDArray[np.int64]


def positions(net: Network, lanes: int, max_synapses: int) -> dict[str, Ints]:
    """Return the position of each neuron of each population, (n,); position i is in lane i % lanes.

    Inputs and populations that send to no other keep their order, so that a host counts as the network does. Where weights are
    shared between places of a plane, the channels of a place lie side by side: then a kernel meets the same lanes everywhere.
    """
    return {p.name: _positions(net, p, lanes, max_synapses) for p in net.populations}


def _positions(net: Network, p: Population, lanes: int, max_synapses: int) -> Ints:
    if lanes == 1 or not p.neuron or not net.out_of(p.name):
        return np.arange(p.size)
    if len(p.shape) == 3 and any(c.op.kind != "dense" for c in net.into(p.name)):
        channels, places = p.shape[0], p.size // p.shape[0]
        return np.arange(p.size).reshape(places, channels).T.ravel()
    return _balanced(net, p, lanes, max_synapses)


def _balanced(net: Network, p: Population, lanes: int, max_synapses: int) -> Ints:
    """Put one neuron after another, those with most synapses first, where it makes the fewest rows of synapses longer."""
    rows, indptr, count = _rows(net, p, max_synapses)
    shares = np.zeros((count, lanes), np.int64)  # of each row in each lane
    longest = np.zeros(count, np.int64)
    room = np.array([len(range(lane, p.size, lanes)) for lane in range(lanes)])
    taken = np.zeros(lanes, np.int64)
    position = np.empty(p.size, np.int64)
    for neuron in np.argsort(-np.diff(indptr), kind="stable"):
        mine = rows[indptr[neuron] : indptr[neuron + 1]]
        longer = (shares[mine] == longest[mine, None]).sum(axis=0)
        longer = np.where(taken < room, longer * lanes * p.size + taken, np.iinfo(np.int64).max)
        lane = int(longer.argmin())
        shares[mine, lane] += 1
        longest[mine] = np.maximum(longest[mine], shares[mine, lane])
        position[neuron] = taken[lane] * lanes + lane
        taken[lane] += 1
    return position


def _rows(net: Network, p: Population, max_synapses: int) -> tuple[Any, Any, int]:
    """(the rows that hold a synapse into each neuron, neuron by neuron; where each neuron's begin; how many rows there are)."""
    rows, neurons, count = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for c in net.into(p.name):
        for part in parts(c):
            s = part.op.unrolled(max_synapses)
            kept = s.values != 0
            if part.sources is not None:
                kept &= part.sources[s.indices]
            rows.append(s.indices[kept] + count)
            neurons.append(s.rows[kept])
            count += s.shape[1]
    targets = np.concatenate(neurons)
    order = np.argsort(targets, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(targets, minlength=p.size))])
    return np.concatenate(rows)[order], indptr, count
