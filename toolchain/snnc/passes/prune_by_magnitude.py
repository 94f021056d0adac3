"""Prune synapses by rank: keep the largest weights, or the most important by any other measure. No training, no torch."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snnc.network.model import Connection, Network

Importance = Mapping[str, NDArray[np.float64]]  # connection -> (synapses,) what is lost with each; the least goes first
Ranks = Mapping[str, NDArray[np.int64]]  # connection -> (synapses,) 0 for the synapse that goes last
Keep = Mapping[str, int]  # connection -> how many of its synapses stay


def magnitudes(net: Network) -> dict[str, NDArray[np.float64]]:
    """Return the absolute weight of every synapse, by connection: shape (synapses,)."""
    return {c.name: np.abs(c.op.synapses.values).astype(np.float64) for c in net.connections}


def ranked(importance: Importance) -> dict[str, NDArray[np.int64]]:
    """Return the rank of every synapse within its connection, 0 for the most important; of equals the first stored leads."""
    return {name: _ranks(values) for name, values in importance.items()}


def _ranks(importance: NDArray[np.float64]) -> NDArray[np.int64]:
    ranks = np.empty(len(importance), np.int64)
    ranks[np.argsort(-importance, kind="stable")] = np.arange(len(importance))
    return ranks


def prune_by_rank(net: Network, keep: Keep, ranks: Ranks) -> Network:
    """Return the network with only the ``keep`` first-ranked synapses of each connection that ``keep`` names."""

    def pruned(c: Connection) -> Connection:
        kept = keep.get(c.name, c.op.synapses.count)
        return c if kept >= c.op.synapses.count else replace(c, op=c.op.keep(ranks[c.name] < kept))

    return replace(net, connections=tuple(map(pruned, net.connections)))


def prune_by_magnitude(net: Network, keep: Keep) -> Network:
    """Return the network with only the ``keep`` synapses of largest weight in each connection that ``keep`` names."""
    return prune_by_rank(net, keep, ranked(magnitudes(net)))
