"""The four layers of a SYNtzulu, in powers of two, and its weight memories.

The design always computes four layers. What a network lacks is filled up with layers that hand on every spike: a weight of 1 from
each neuron to its counterpart, a threshold that 1 reaches, and no memory. The last layer must not fire, as each of its spikes
would make the first four inputs of the next step count once more (rtl/syntzulu/snn_lp.sv, stack_en_1; its own tools write the
threshold 32767). It holds a readout, or the spikes of the layer before as voltages of 0 and 1. Sizes are powers of two, as the
address of a weight is put together from the bits of layer, neuron and source.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.network.model import Network, Population

from .._shared.chip_refusals import whole

LAYERS = 4
LARGEST = 256
SMALLEST = 8  # of which neuron and source have an address of a bit at least
WORDS = 1 << 14  # of a memory: SB_SPRAM256KA of an iCE40UP5K, 16 bits each
FORGETS = 4096  # of 4096: nothing of a voltage is left
NEVER = (1 << 15) - 1  # threshold of the last layer


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer of the design: weights (neurons, sources) of 8 bits."""

    population: str  # of the network; empty for one that hands on spikes
    used: int  # neurons that are the network's
    weights: NDArray[np.int64]
    decay: int  # of 4096
    fires_at: int

    @property
    def neurons(self) -> int:
        """The neurons, unused ones included."""
        return int(self.weights.shape[0])

    @property
    def sources(self) -> int:
        """The sources, unused ones included."""
        return int(self.weights.shape[1])

    @property
    def words(self) -> int:
        """The words that it takes in each of the four memories."""
        return self.neurons * self.sources // 8


def padded(size: int) -> int:
    """Return the size of the layer of the design that holds so many neurons."""
    return max(SMALLEST, 1 << (size - 1).bit_length())


def layers(net: Network, max_synapses: int) -> list[Layer]:
    """Return the four layers of a chain of dense connections."""
    chain = [_layer(net, p, max_synapses) for p in net.ordered if p.neuron]
    readout = chain.pop() if chain[-1].fires_at == NEVER else None
    while len(chain) < LAYERS - 1:
        size = chain[-1].neurons if chain else padded(net.inputs[0].size)
        chain.append(Layer("", 0, np.eye(size, dtype=np.int64), FORGETS, 1))
    return [*chain, readout or Layer("", 0, np.eye(chain[-1].neurons, dtype=np.int64), FORGETS, NEVER)]


def _layer(net: Network, p: Population, max_synapses: int) -> Layer:
    (c,) = net.into(p.name)
    dense = whole(c.op.unrolled(max_synapses).to_dense(), c.op.exponent)
    weights = np.zeros((padded(p.size), padded(net[c.src].size)), np.int64)
    weights[: dense.shape[0], : dense.shape[1]] = dense
    neuron: Any = p.neuron
    fires_at = int(np.max(neuron.threshold)) + 1 if neuron.rule.fires else NEVER
    return Layer(p.name, p.size, weights, int(np.max(neuron.decay_v)), fires_at)


def words(chain: list[Layer]) -> list[str]:
    """Return the four weight memories as bytes: a line for each neuron, every layer as long as the longest."""
    longest = max(layer.words for layer in chain)
    text = []
    for core, half in ((0, 0), (0, 1), (1, 0), (1, 1)):
        lines = []
        for layer in chain:
            mine = layer.weights[core::2].reshape(layer.neurons // 2, -1, 2, 2)[:, :, half]  # neuron, four sources, first two
            lines += [" ".join(f"{value & 0xFF:02x}" for value in row) for row in mine.reshape(len(mine), -1).tolist()]
            lines += ["00 " * (2 * (longest - layer.words))] if layer.words < longest else []
        text.append("".join(f"{line.strip()}\n" for line in lines))
    return text
