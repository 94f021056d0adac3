"""Soft reset on a chip whose own reset is to zero: what it takes besides.

A neuron is then built of several compartments, and a synapse to itself, as strong as its threshold, takes the threshold away
from its voltage a step after the spike. Source: NxTF, dnn/src/dnn_layers.py (resetMode "soft"); its padding to whole groups of
four compartments is not counted, nor is a configuration for the further compartments.
"""

from dataclasses import replace

import numpy as np

from snnc.chips.profile import Profile
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense


def is_built(p: Population, profile: Profile) -> bool:
    """Tell whether a population's neurons have a soft reset that the chip does not compute by itself."""
    return p.neuron is not None and p.neuron.rule.reset == "subtract" and not profile.takes(p.neuron.model())


def compartments(p: Population, profile: Profile) -> int:
    """Return the compartments of one neuron: 1, or what the profile says of one that `is_built`."""
    return profile.soft_reset_compartments or 1 if is_built(p, profile) else 1


def with_resets(net: Network, profile: Profile) -> Network:
    """Return the network with those synapses as connections of their own; itself if it needs none, or has them."""
    resets = [_reset(p, f"reset{i}_{p.name}"[:64], net) for i, p in enumerate(net.populations) if compartments(p, profile) > 1]
    have = {c.name for c in net.connections}
    new = tuple(c for c in resets if c.name not in have)
    return replace(net, connections=(*net.connections, *new)) if new else net


def _reset(p: Population, name: str, net: Network) -> Connection:
    """Return a connection from each neuron to itself, as strong as its threshold, or as near to it as the weights allow."""
    thresholds = np.broadcast_to(getattr(p.neuron, "threshold", 1), (p.size,))
    each = np.arange(p.size)
    indptr, indices = np.arange(p.size + 1), each.astype(np.int32)
    if not isinstance(net.numeric, Fixed):
        weights = Synapses((p.size, p.size), indptr, indices, np.where(thresholds > 0, -thresholds, -1.0))
        return Connection(name, p.name, p.name, Dense(weights), delay_steps=1)
    grid = weight_grid(net.numeric, "inhibitory")
    doublings = int(np.ceil(np.log2(max(1, int(thresholds.max())) / -grid[0])))
    exponent = min(max(0, doublings), net.numeric.weight_exponent_max)
    values = np.rint(thresholds / 2.0**exponent / grid.step).astype(np.int64) * -grid.step
    weights = Synapses((p.size, p.size), indptr, indices, np.clip(values, grid[0], -grid.step))
    return Connection(name, p.name, p.name, Dense(weights, exponent, "inhibitory"), delay_steps=1)
