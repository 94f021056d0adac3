"""Take away neurons that can never fire, and the synapses into and out of them: no spike changes. After quantise, before export.

What can never fire is what the range proof says for any number of steps and every input. Inputs, readouts and the output
population keep all their neurons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.analysis.range_proof import prove_ranges
from snnc.base.public import public
from snnc.errors import NetworkError
from snnc.network.model import Connection, Network, Population, Stage

Kept = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Simplified:
    """The network without them, and which neurons of the first one it has: ``kept`` is (n,) by population, in their order.

    A population that is not in ``kept`` can never fire at all, and is gone.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> simplified = snnc.simplify(fixed)
        >>> [p.name for p in simplified.network.populations]
        ['input', 'hidden1', 'output']
    """

    network: Network
    kept: Mapping[str, NDArray[np.bool_]]
    before: Network
    silent: Mapping[str, int]  # neurons that can never fire, also those that shared weights keep

    def __repr__(self) -> str:
        gone = sum(p.size for p in self.before.populations) - sum(p.size for p in self.network.populations)
        return f"Simplified({self.network.name!r}, {gone:,} neurons and inputs less)"

    def to_json(self) -> dict[str, Any]:
        """Return what was saved, as JSON values."""
        a, b = self.before, self.network
        return {
            "never_fire": dict(self.silent), "neurons": {p.name: [p.size, _size(b, p.name)] for p in a.populations},
            "weights": [_weights(a), _weights(b)], "synapses": [_synapses(a), _synapses(b)],
        }  # fmt: skip


def _size(net: Network, name: str) -> int:
    return next((p.size for p in net.populations if p.name == name), 0)


def _weights(net: Network) -> int:
    return sum(c.op.synapses.count for c in net.connections)


def _synapses(net: Network) -> int:
    return sum(c.op.synapse_count for c in net.connections)


@public
def simplify(net: Network) -> Simplified:
    """Return the network without what can never fire. Its spikes, currents and voltages are those that the neurons had before.

    Single neurons go where all synapses at them have weights of their own; of planes that share weights, channels go that
    never fire anywhere.

    Args:
        net: A quantised network.

    Returns:
        The smaller network (``network``), which neurons it kept, and how many can never fire.

    Raises:
        NetworkError: The network is a float one, or nothing that can fire reaches the output.

    Examples:
        >>> import snnc
        >>> fixed = snnc.quantise(snnc.train("digits", hidden=(16,), epochs=1, steps=4), "loihi1")
        >>> snnc.simplify(fixed).network.output.size
        10
    """
    reaches = prove_ranges(net).reaches
    fires = {p.name: _fires(p, net, reaches) for p in net.populations}
    alive = {name: mask for name, mask in fires.items() if mask.any()}
    connections_left = [w for c in net.connections if c.src in alive and c.dst in alive and (w := _without(c, fires))]
    kept = _shapely(alive, connections_left, net)
    populations = tuple(_only(p, kept[p.name]) for p in net.populations if p.name in kept)
    connections = tuple(_between(c, kept) for c in connections_left)
    silent = {name: int(mask.size - mask.sum()) for name, mask in fires.items() if not mask.all()}
    settings = {"neurons": {name: int(mask.size - mask.sum()) for name, mask in kept.items() if not mask.all()}}
    after = net.after(Stage("simplify", settings), populations=populations, connections=connections)
    if after.output.name != net.output.name or not after.into(net.output.name):
        raise NetworkError(
            "gets nothing from neurons that can fire",
            where=f"network {net.name!r}, population {net.output.name!r}",
            fix="look with snnc check --proof for populations that never fire",
        )
    return Simplified(after, kept, net, silent)


def _fires(p: Population, net: Network, reaches: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Return which neurons are wanted: those that can fire, and all of inputs, readouts and the output."""
    wanted = p.neuron is None or not p.neuron.rule.fires or p.name == net.output.name
    return np.ones(p.size, np.bool_) if wanted else np.asarray(reaches[p.name].fires, np.bool_)


def _without(c: Connection, fires: Kept) -> Connection | None:
    """Return the connection without weights that only join neurons of which one can never fire; None if no weight is left."""
    joins = c.op.joins(fires[c.src], fires[c.dst])
    op = c.op if joins.all() else c.op.keep(joins)
    return replace(c, op=op) if op.synapses.values.any() else None


def _shapely(alive: Kept, connections: list[Connection], net: Network) -> Kept:
    """Return the neurons to keep, so that every operator fits between them: single ones, else whole channels, else all."""
    kept, coarse = dict(alive), dict.fromkeys(alive, 0)
    while refused := [c for c in connections if _op_between(c, kept) is None]:
        for name in {end for c in refused for end in (c.src, c.dst)}:
            coarse[name] += 1
            kept[name] = _by_channel(alive[name], net[name]) if coarse[name] == 1 else np.ones_like(alive[name])
    return kept


def _op_between(c: Connection, kept: Kept) -> Any:
    sources, destinations = kept[c.src], kept[c.dst]
    return c.op if sources.all() and destinations.all() else c.op.between(sources, destinations)


def _by_channel(alive: NDArray[np.bool_], p: Population) -> NDArray[np.bool_]:
    """Return all neurons of the channels in which one is alive."""
    return np.repeat(alive.reshape(p.shape[0], -1).any(1), p.size // p.shape[0])


def _between(c: Connection, kept: Kept) -> Connection:
    delays = c.axon_delays if c.axon_delays is None else c.axon_delays[kept[c.src]]
    return replace(c, op=_op_between(c, kept), axon_delays=delays)


def _only(p: Population, kept: NDArray[np.bool_]) -> Population:
    """Return a population of some of its neurons; its shape stays one of planes where whole channels are kept."""
    if kept.all():
        return p
    assert p.neuron is not None  # noqa: S101 - for the type checker; inputs keep all
    values = {name: getattr(p.neuron, name) for name in p.neuron.parameters()}
    own = replace(p.neuron, **{name: value[kept] if value.ndim else value for name, value in values.items()})
    planes = kept.reshape(p.shape[0], -1)
    whole = len(p.shape) > 1 and bool((planes == planes[:, :1]).all())
    return replace(p, shape=(int(planes[:, 0].sum()), *p.shape[1:]) if whole else (int(kept.sum()),), neuron=own)
