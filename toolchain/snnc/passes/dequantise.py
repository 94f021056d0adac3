"""What the integers of a fixed network stand for: the same network in real numbers. For formats without integers."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.arithmetic import Fixed, Float
from snnc.network.model import Connection, Network
from snnc.network.neuron import Neuron
from snnc.network.units import Unit


def dequantised(net: Network) -> Network:
    """Return a float network in the weight units of a fixed one; nothing is rounded, so it lacks only the chip's truncations."""
    if not isinstance(net.numeric, Fixed):
        return net
    numeric = net.numeric
    return replace(
        net,
        numeric=Float(),
        populations=tuple(replace(p, neuron=p.neuron and dequantised_neuron(p.neuron, numeric)) for p in net.populations),
        connections=tuple(_real_weights(c) for c in net.connections),
    )


def dequantised_neuron(neuron: Neuron, numeric: Fixed) -> Neuron:
    """Return a neuron with its parameters in real numbers: decays as fractions, thresholds and biases in weight units."""
    return type(neuron)(
        **{name: _real(getattr(neuron, name), f.metadata["unit"], numeric) for name, f in neuron.parameters().items()}
    )


def _real(value: NDArray[Any], unit: Unit, numeric: Fixed) -> NDArray[Any]:
    """The floats that integers are where a weight of 1 is one of 1: exact, as units are powers of two apart."""
    return value if unit.whole else np.asarray(value.astype(np.float64) / unit.per_float(1.0, numeric))


def _real_weights(c: Connection) -> Connection:
    values = np.ldexp(c.op.synapses.values.astype(np.float64), c.op.exponent)
    return replace(c, op=replace(c.op.with_values(values), exponent=0, sign_mode=None))
