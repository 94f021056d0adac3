"""How much of a network exists. Parameters and synapses are counted apart: a shared weight is one parameter, many synapses."""

from snnc.network.model import Connection, Network


def parameter_connectivity(of: Network | Connection) -> float:
    """Return the weights that exist, as a part of all trainable weights, of a connection or of all of a network."""
    connections = _connections(of)
    return sum(c.op.synapses.count for c in connections) / sum(c.op.parameters for c in connections)


def synapse_connectivity(of: Network | Connection) -> float:
    """Return the synapses that exist, as a part of those that the unpruned connection or network unrolls to.

    The part is 1 where none can exist: a kernel may meet only what lies outside of the planes.
    """
    connections = _connections(of)
    possible = sum(c.op.possible_synapses for c in connections)
    return sum(c.op.synapse_count for c in connections) / possible if possible else 1.0


def _connections(of: Network | Connection) -> tuple[Connection, ...]:
    return of.connections if isinstance(of, Network) else (of,)
