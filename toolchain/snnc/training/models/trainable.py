"""A network as a torch module that trains, and the trained network.

A chain of dense layers of lif or cuba trains as snnTorch's layers, any other network as a graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.synapses import Synapses
from snnc.training.models.feedforward import Feedforward, chain_of, from_network, is_chain
from snnc.training.models.graph import FloatGraph
from snnc.training.models.learned import Learning
from snnc.training.settings import Kernel

Retrained = Callable[[tuple[Stage, ...], Mapping[str, Tensor]], Network]


@dataclass(frozen=True, eq=False)
class Trainable:
    """A float network to train. Names, shapes, delays and encoding stay those of the network."""

    model: nn.Module  # (batch, steps, n) messages times the encoding's unit -> what the output is judged by
    weights: Mapping[str, Tensor]  # that are trained and pruned, by connection: of the shape of its synapses
    others: Sequence[Tensor]  # biases, and what else is learned
    to_network: Retrained  # (what was done since, which synapses exist by connection) -> network


def trainable(net: Network, kernel: Kernel = "auto", device: str = "cpu", learning: Learning = Learning()) -> Trainable:
    """Return the module that trains a network: snnTorch's layers for a chain of dense ones of lif or cuba, else a graph.

    Raises UnsupportedError for a quantised network, and for ``kernel`` "fused" with neurons that have no such kernel.
    """
    if is_chain(net) and not learning.what:
        return _chain(net, from_network(net, kernel).to(device))
    graph = FloatGraph(net, kernel, learning=learning).to(device)
    return Trainable(graph, graph.weights, graph.others, graph.to_network)


def _chain(net: Network, model: Feedforward) -> Trainable:
    layers = dict(zip((c.name for c in chain_of(net)), model.linears.values(), strict=True))
    unit = net.encoding.unit if net.encoding else 1.0
    first, biased = next(iter(layers)), {c.dst: layers[c.name].bias for c in net.connections}

    def connection(c: Connection, exists: Tensor | None) -> Connection:
        values = _array(layers[c.name].weight) * (unit if c.name == first else 1.0)
        mask = c.op.synapses.mask() if exists is None else _array(exists).astype(np.bool_)
        return replace(c, op=replace(c.op, synapses=Synapses.from_dense(values, mask)))

    def population(p: Population) -> Population:
        bias: Tensor | None = biased.get(p.name)
        return p if p.neuron is None or bias is None else replace(p, neuron=replace(p.neuron, bias=_array(bias)))  # type: ignore[call-arg]

    def to_network(done: tuple[Stage, ...], masks: Mapping[str, Tensor]) -> Network:
        connections = tuple(connection(c, masks.get(c.name)) for c in net.connections)
        populations = tuple(population(p) for p in net.populations)
        return replace(net, populations=populations, connections=connections, done=(*net.done, *done))

    weights = {name: layer.weight for name, layer in layers.items()}
    return Trainable(model, weights, [layer.bias for layer in layers.values() if layer.bias is not None], to_network)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().numpy().astype(np.float64)
