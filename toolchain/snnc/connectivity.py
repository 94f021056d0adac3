"""How much of a network exists. Parameters and synapses are counted apart: a shared weight is one parameter, many synapses."""

from snnc.ir import Connection, Network


def parameter_connectivity(net: Network) -> float:
    """Weights that exist, as a part of all trainable weights."""
    return sum(c.op.synapses.count for c in net.connections) / sum(c.op.parameters for c in net.connections)


def synapse_connectivity(net: Network) -> float:
    """Synapses that exist, as a part of those that the unpruned network unrolls to."""
    return sum(_synapses(c) for c in net.connections) / sum(c.op.possible_synapses for c in net.connections)


def _synapses(c: Connection) -> float:
    """Existing synapses of a connection. In a dense operator each weight is one synapse."""
    return c.op.synapses.count * c.op.possible_synapses / c.op.parameters
