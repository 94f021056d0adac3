"""The publication's convolutional network in torch -> the float `Network` with the same spikes. After pruning it.

Batch norm (its statistics of evaluation) and the factor 1 - beta of the current are folded into weights and biases in
float64; dropout goes. Max-pooling of spikes is neurons without memory that fire if anything under their window did.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population, Stage
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.neurons.li import LI
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d
from snnc.training.from_snntorch.layers import Map, Scale, maps_of, operator, window_of
from snnc.training.models.convnet import CLASSES, CONVOLUTIONS, POOLED_AFTER, ConvNet

MEMORYLESS = 1 - 1 / 4096  # the largest decay of v that a chip's 12 bits hold


def to_network(
    model: ConvNet, name: str = "convnet", dt_s: float = 1e-3, done: tuple[Stage, ...] = (), *, vote: bool = True
) -> Network:
    """Populations input, conv1, ..., pool3, ..., hidden, output (the voters) and vote; weights that are 0 were pruned.

    An image enters as 8-bit messages, the same in each step. ``vote`` is a readout that sums the spikes of a class's voters;
    its voltage keeps 1 / 4096 from step to step, so that the earlier of two equal counts wins. Without ``vote`` the
    voters are the output, for chips that have no readout without spikes.
    """
    parts = _Parts(model)
    src = parts.add(Population("input", (3, model.side, model.side), None, Encoding("constant").message_bits))
    for i in range(1, CONVOLUTIONS + 1):
        layers = [model.get_submodule(f"conv{i}"), model.get_submodule(f"bn{i}")]
        src = parts.add_layer(f"conv{i}", src, layers, f"lif{i}", Encoding("constant").unit if i == 1 else 1.0)
        if i in POOLED_AFTER:
            src = parts.add_pool(f"pool{i}", src, model.pool)
    src = parts.add_layer("hidden", src, [model.fc1], "lif7")
    src = parts.add_layer("output", src, [model.fc2], "lif8")
    if vote:
        parts.add_vote(src, model.config.voters)
    encoding = Encoding("constant", model.config.steps)
    return Network(name, tuple(parts.populations), tuple(parts.connections), dt_s, encoding=encoding, done=done)


class _Parts:
    """Populations and connections so far."""

    def __init__(self, model: ConvNet) -> None:
        self.model = model
        self.populations: list[Population] = []
        self.connections: list[Connection] = []

    def add(self, p: Population, src: Population | None = None, op: Op | None = None) -> Population:
        """The population, and the connection into it, which has its name."""
        self.populations.append(p)
        if src and op:
            self.connections.append(Connection(f"to_{p.name}", src.name, p.name, op))
        return p

    def add_layer(self, name: str, src: Population, layers: Sequence[nn.Module], neurons: str, unit: float = 1.0) -> Population:
        """A convolution or linear layer with what follows it up to its neurons; ``unit``: what a message of 1 stands for."""
        maps: list[Map] = [Scale(np.full(src.size, unit))]
        shape, bias = src.shape if len(src.shape) > 1 and isinstance(layers[0], nn.Conv2d) else (src.size,), np.zeros(1)
        for layer in layers:
            dst = _shape_after(layer, shape)
            more, shift = maps_of(layer, shape, dst)
            factor = next((one.factor for one in more if isinstance(one, Scale)), 1.0)
            maps, shape, bias = [*maps, *more], dst, bias * factor + shift
        gain = 1 - self.model.config.beta
        op = operator([*maps, Scale(np.full(len(bias), gain))], src.size)
        return self.add(Population(name, shape, _lif(self.model.get_submodule(neurons), bias * gain)), src, op)

    def add_pool(self, name: str, src: Population, pool: Any) -> Population:
        """Neurons that fire if anything under their window did."""
        op = SumPool2d.of_weight(1.0, window_of(pool, src.shape))
        return self.add(Population(name, op.dst_shape, LIF(np.array(0.0), np.array(0.0))), src, op)

    def add_vote(self, src: Population, voters: int) -> Population:
        """A readout that sums the spikes of each class's voters."""
        rows = np.arange(CLASSES * voters, dtype=np.int32)
        starts = np.arange(CLASSES + 1, dtype=np.int64) * voters
        op = Dense(Synapses((CLASSES, len(rows)), starts, rows, np.ones(len(rows))))
        return self.add(Population("vote", (CLASSES,), LI(np.array(1.0), np.array(MEMORYLESS))), src, op)


def _shape_after(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(layer, nn.Conv2d):
        options = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        return (layer.out_channels, *Window((shape[0], shape[1], shape[2]), *options).grid)  # type: ignore[arg-type]
    return (layer.out_features,) if isinstance(layer, nn.Linear) else shape


def _lif(neurons: Any, bias: NDArray[np.float64]) -> LIF:
    threshold, beta = (np.asarray(x.detach().cpu().numpy(), np.float64) for x in (neurons.threshold, neurons.beta))
    return LIF(threshold, 1 - beta, bias if bias.any() else np.zeros(()))
