"""A network of equal tiles and one of its tiles. What a tile uses of a chip, all of them use."""

from dataclasses import replace

from snnc.network.model import Network, Population


def one_tile(net: Network) -> Network:
    """Return one of the equal tiles of a network; what comes from other tiles comes from its own neurons of the same number.

    Each neuron has the synapses and delays that it has in the network, each source as many targets.
    """
    if net.tiles == 1:
        return net
    connections = tuple(replace(c, op=replace(c.op, synapses=c.op.synapses.of_one_tile())) for c in net.connections)
    return replace(net, populations=tuple(_one(p, net.tiles) for p in net.populations), connections=connections)


def _one(p: Population, tiles: int) -> Population:
    budget = None if p.max_spikes_per_step is None else min(p.max_spikes_per_step, p.size // tiles)
    return replace(p, shape=(p.size // tiles,), max_spikes_per_step=budget)


def repeated(tile: Network, like: Network) -> Network:
    """Return a network of such tiles, as many as another has and joined as there: the inverse of `one_tile`.

    Raises UnsupportedError if the synapses of ``tile`` are stored.
    """
    if like.tiles == 1:
        return tile
    populations = tuple(
        replace(p, shape=whole.shape, max_spikes_per_step=whole.max_spikes_per_step)
        for p, whole in zip(tile.populations, like.populations, strict=True)
    )
    connections = tuple(
        replace(c, op=replace(c.op, synapses=c.op.synapses.repeated(like.tiles, whole.op.synapses.source_tile)))
        for c, whole in zip(tile.connections, like.connections, strict=True)
    )
    return replace(tile, populations=populations, connections=connections)
