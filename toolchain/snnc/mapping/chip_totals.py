"""What a network uses of a chip however it is cut: of the chip as a whole, and by any one neuron."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.usage import Usage
from snnc.network.model import Connection, Network

Count = Callable[[Connection], NDArray[np.int64]]


def totals(net: Network, profile: Profile) -> tuple[Usage, ...]:
    """Return one Usage for each of the profile's ``totals``."""
    on_chip = ChipNetwork(net, profile)
    return tuple(_usage(on_chip, resource, limit) for resource, limit in profile.totals.items())


def within_totals(net: Network, profile: Profile) -> bool:
    """Tell whether no total of the chip is exceeded."""
    return all(usage.status != "over" for usage in totals(net, profile))


def _usage(on_chip: ChipNetwork, resource: str, limit: int) -> Usage:
    net = on_chip.net
    whole = f"network {net.name!r}"
    match resource:
        case "neurons_per_chip":
            return Usage(resource, whole, sum(net[name].size * n for name, n in on_chip.compartments.items()), limit)
        case "synapses_per_chip":
            return Usage(resource, whole, sum(c.op.synapse_count for c in net.connections), limit)
        case "inputs_per_chip":
            return Usage(resource, whole, sum(p.size for p in net.inputs), limit)
        case "outputs_per_chip":
            return Usage(resource, f"population {net.output.name!r}", net.output.size, limit)
        case "fan_in_per_neuron":
            return _worst(net, resource, limit, net.into, lambda c: c.op.fan_in())
        case _:
            return _worst(net, resource, limit, net.out_of, lambda c: c.op.fan_out())


def _worst(net: Network, resource: str, limit: int, connections: Callable[[str], tuple[Connection, ...]], count: Count) -> Usage:
    """Return the use of the neuron with most synapses; messages from off chip are no neuron's."""
    worst = Usage(resource, f"network {net.name!r}", 0, limit)
    for p in net.populations:
        synapses = (
            np.sum([count(c) for c in connections(p.name)], axis=0) if p.neuron and connections(p.name) else np.zeros(1, np.int64)
        )
        if (most := int(synapses.max())) > (worst.used or 0):
            worst = Usage(resource, f"population {p.name!r}, neuron {int(synapses.argmax())}", most, limit)
    return worst
