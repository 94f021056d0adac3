"""The different configurations that the neurons and synapses of a core need.

A core of Loihi 1 keeps a few sets of parameters, which its neurons and synapses name by number: decays and refractory period,
thresholds, and how the synapses of a connection are scaled and stored. A bias is each neuron's own. Source: nengo-loihi,
hardware/nxsdk_objects.py (CompartmentConfig, VthConfig), hardware/allocators.py, block.py (SynapseConfig).
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from snnc.chips.schema import DISTINCT
from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network, Population

Ints = NDArray[np.int64]
# resource -> population -> (n,) the number of each neuron's configuration
NeuronConfigurations = Mapping[str, Mapping[str, Ints]]
# connection -> its configuration, but for the way in which a core stores it, see Storage.ways
SynapseConfigurations = Mapping[str, Hashable]

DECAYS, THRESHOLDS, SYNAPSES = DISTINCT


def neuron_configurations(net: Network) -> NeuronConfigurations:
    """Number the configurations that neurons need: decays and refractory periods, which two models never share, and thresholds.

    In a float network equal thresholds of two populations count as two: quantised, each has the scale of its population.
    """
    apart = not isinstance(net.numeric, Fixed)
    configurations: dict[str, dict[str, Ints]] = {DECAYS: {}, THRESHOLDS: {}}
    numbers: dict[Hashable, int] = {}
    for p in net.populations:
        if p.neuron:
            configurations[DECAYS][p.name] = _numbered(p, "decays", p.neuron.model(), numbers)
            configurations[THRESHOLDS][p.name] = _numbered(p, "thresholds", p.name if apart else None, numbers)
    return configurations


def _numbered(p: Population, configured: str, whose: str | None, numbers: dict[Hashable, int]) -> Ints:
    """Return the number of each neuron's values of the parameters that a core so configures; new ones extend ``numbers``."""
    named = p.neuron.parameters().items() if p.neuron else ()
    values = [getattr(p.neuron, name) for name, f in named if f.metadata["unit"].configured == configured]
    each = np.stack(np.broadcast_arrays(np.zeros(1), *values))  # (values, 1) where all neurons are alike
    rows, inverse = np.unique(each.T, axis=0, return_inverse=True)
    number_of_row = np.array([numbers.setdefault((configured, whose, *row), len(numbers)) for row in rows.tolist()], np.int64)
    return np.broadcast_to(number_of_row[inverse.ravel()], (p.size,))


def synapse_configurations(net: Network, delays: Mapping[str, int]) -> SynapseConfigurations:
    """Return weight exponent, sign mode and bits of the delay of each connection; ``delays``: connection -> steps on the chip.

    In a float network, whose exponents are not known before it is quantised, each connection has one of its own.
    """

    def configuration(c: Connection) -> Hashable:
        scaled = (c.op.exponent, c.op.sign_mode) if isinstance(net.numeric, Fixed) else c.name
        return scaled, delays[c.name].bit_length()

    return {c.name: configuration(c) for c in net.connections}


def at_most(synapses: SynapseConfigurations, ways: Sequence[Hashable]) -> dict[str, frozenset[Hashable]]:
    """Return names for each connection, so that connections need at most as many configurations as they have names together.

    That holds in whichever of the ``ways`` each of them is stored.
    """
    alike = Counter(synapses.values())

    def names(name: str, one: Hashable) -> frozenset[Hashable]:
        return frozenset((one, way) for way in ways) if alike[one] > len(ways) else frozenset({name})

    return {name: names(name, one) for name, one in synapses.items()}


def distinct(cores: Ints, numbers: Ints, n_cores: int) -> Ints:
    """Return how many different ``numbers`` there are on each core: shape (n_cores,). ``cores``: where each of them is."""
    most = int(numbers.max(initial=0)) + 1
    counts: Ints = np.bincount(np.unique(cores * most + numbers) // most, minlength=n_cores)
    return counts
