"""A constant that is added to a current in every step: a bias where that is the same, else a neuron that fires in every step."""

from dataclasses import replace
from itertools import count

import numpy as np
from numpy.typing import NDArray

from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import FORGETS, Neuron
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense


def constant_source(name: str) -> Population:
    """Return a neuron that fires in every step from the first on, without input."""
    return Population(name, (1,), LIF(np.zeros(()), np.array(0.5), np.ones(())))


def constant_connection(name: str, source: str, dst: str, values: NDArray[np.float64]) -> Connection:
    """Return the connection by which such a neuron adds ``values``, (n,), to the currents of a population in every step."""
    return Connection(name, source, dst, Dense(Synapses.from_dense(np.ascontiguousarray(values[:, None]))))


def with_constant(net: Network, dst: str, values: NDArray[np.float64]) -> Network:
    """Return a float network whose population ``dst`` gets ``values``, (n,), beside its other currents in every step.

    They become its bias if its neurons remember no current; else a population of one neuron is added, whose synapses bring them.
    """
    population = net[dst]
    if population.neuron and is_bias(population.neuron):
        neuron = replace(population.neuron, bias=population.neuron.bias + values)  # type: ignore[attr-defined, call-arg]
        changed = replace(population, neuron=neuron)
        return replace(net, populations=tuple(changed if p is population else p for p in net.populations))
    taken = {p.name for p in net.populations} | {c.name for c in net.connections}
    source = next(name for i in count(1) if (name := f"constant{i}") not in taken)
    connection = constant_connection(f"{source}_to_{dst}"[:63], source, dst, values)
    return replace(net, populations=(*net.populations, constant_source(source)), connections=(*net.connections, connection))


def is_bias(neuron: Neuron) -> bool:
    """Return whether a constant current does what a bias of the voltage does: where a neuron forgets its current at once."""
    decay = neuron.current_decay
    forgets = decay == FORGETS or (decay is not None and bool((np.asarray(getattr(neuron, decay)) == 1).all()))
    return forgets and "bias" in neuron.parameters()
