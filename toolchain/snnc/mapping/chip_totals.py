"""What a network uses of a chip however it is cut: of the chip as a whole, and by any one neuron."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from snnc.chips.profile import Profile
from snnc.mapping.chip_network import ChipNetwork
from snnc.mapping.usage import Usage
from snnc.network.model import Connection, Network, Population

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
        case "fan_out_per_neuron":
            return _worst(net, resource, limit, net.out_of, lambda c: c.op.fan_out())
        case "hidden_fan_out_per_neuron":
            return _worst(net, resource, limit, partial(_among_hidden, net), lambda c: c.op.fan_out())
        case "hidden_neurons_per_chip":
            return Usage(resource, whole, sum(p.size for p in hidden(net)), limit)
        case "hidden_synapses_per_chip":
            among = [c for p in hidden(net) for c in _among_hidden(net, p.name)]
            return Usage(resource, whole, sum(c.op.synapse_count for c in among), limit)
        case "neurons_within_input_reach_per_chip":
            return Usage(resource, whole, _input_reach(net), limit)
        case _:
            return Usage(resource, f"population {net.output.name!r}", _readout_reach(net), limit)


def hidden(net: Network) -> list[Population]:
    """Return the populations that compute and are not read out, in the order of computation."""
    return [p for p in net.ordered if p.neuron and p.name != net.output.name]


def _among_hidden(net: Network, name: str) -> tuple[Connection, ...]:
    """Return the connections from a hidden population to hidden ones; none from the one that is read out."""
    out = net.output.name
    return () if name == out else tuple(c for c in net.out_of(name) if c.dst != out)


def _input_reach(net: Network) -> int:
    """Return how many hidden neurons there are up to the last that has a synapse from an input."""
    before, last = 0, 0
    for p in hidden(net):
        for c in net.into(p.name):
            if net[c.src].neuron is None and len(reached := np.flatnonzero(c.op.fan_in())):
                last = max(last, before + int(reached[-1]) + 1)
        before += p.size
    return last


def _readout_reach(net: Network) -> int:
    """Return how many hidden neurons there are from the first that has a synapse to the readout."""
    after, most = sum(p.size for p in hidden(net)), 0
    for p in hidden(net):
        for c in net.out_of(p.name):
            if c.dst == net.output.name and len(read := np.flatnonzero(c.op.fan_out())):
                most = max(most, after - int(read[0]))
        after -= p.size
    return most


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
