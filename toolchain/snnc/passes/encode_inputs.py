"""How samples enter a network: its encoding, with the weights behind its inputs in the unit of the messages."""

from dataclasses import replace

from snnc.errors import ConfigError
from snnc.network.arithmetic import Fixed
from snnc.network.encoding import Encoding
from snnc.network.model import Network


def with_encoding(net: Network, encoding: Encoding | None) -> Network:
    """Return the network that takes samples in this encoding. Where messages are graded (8-bit pixels), the weights behind the
    inputs of a float network are multiplied by the encoding's unit, a power of two, so that a full pixel counts as about 1.

    Raises ConfigError for graded messages into a fixed network, whose integers stay as they are.
    """
    if encoding is None:
        return net
    if not encoding.message_bits or encoding.kind == "events":
        return replace(net, encoding=encoding)
    if isinstance(net.numeric, Fixed):
        raise ConfigError(
            f"the encoding {encoding.kind!r} would change integer weights",
            where=f"network {net.name!r}",
            fix="use rate or latency",
        )
    inputs = {p.name for p in net.inputs}
    populations = tuple(replace(p, message_bits=encoding.message_bits) if p.name in inputs else p for p in net.populations)
    unit = encoding.unit
    connections = tuple(
        replace(c, op=c.op.with_values(c.op.synapses.values * unit)) if c.src in inputs else c for c in net.connections
    )
    return replace(net, populations=populations, connections=connections, encoding=encoding)
