"""Builds the network that a table of layers describes, with torch's initial weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
from torch import nn

import snnc.neurons as neurons
from snnc.errors import ConfigError, NetworkError
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.neuron import Neuron
from snnc.network.op import Op
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.neurons.lif import LIF
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d
from snnc.training.layers import Layer
from snnc.training.settings import MAX_WEIGHTS


@dataclass(frozen=True, eq=False)
class Described:
    """A network to train, the connections whose currents are normalised meanwhile, what its provenance says of it, and what the
    user should know.
    """

    network: Network
    normed: tuple[str, ...] = ()
    stated: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def from_layers(
    layers: Sequence[Layer], name: str, shape: tuple[int, ...], classes: int, encoding: Encoding, dt_s: float
) -> Described:
    """Return the network of a table for samples of ``shape``: (n,), (rows, columns) or (channels, rows, columns).

    Populations are called input, layer1, .., output, or as the table says; the connection into one to_NAME, its recurrent one
    again_NAME. Weights are drawn from torch's generator. Raises ConfigError, which names the layer, for what cannot be.
    """
    table = _Table(Population("input", (1, *shape) if len(shape) == 2 else shape, None, encoding.message_bits), encoding.unit)
    for i, layer in enumerate(layers, 1):
        try:
            table.add(layer, layer.config.name or ("output" if i == len(layers) else f"layer{i}"), classes)
        except NetworkError as error:
            raise ConfigError(error.what, where=layer.where, fix=error.fix) from error
    net = Network(name, tuple(table.populations), tuple(table.connections), dt_s, encoding=encoding)
    return Described(net, tuple(table.normed), {"layers": [layer.stated() for layer in layers]})


class _Table:
    """The network so far."""

    def __init__(self, entry: Population, unit: float) -> None:
        self.populations, self.unit = [entry], unit
        self.connections: list[Connection] = []
        self.normed: list[str] = []
        self.pool: Window | None = None  # before the layer to come

    def add(self, layer: Layer, name: str, classes: int) -> None:
        """Add one more layer behind the last."""
        config, src = layer.config, self.populations[-1]
        if config.kind == "pool":
            self.pool = self._pooled(layer)
            return
        if config.kind == "max_pool":
            self._add_max_pool(layer, name)
            return
        op = self._convolution(layer) if config.kind == "conv2d" else self._dense(layer, config.neurons or classes)
        population = Population(name, op.dst_shape, _neuron(layer, op.n_dst))
        self.populations.append(population)
        self.connections.append(Connection(f"to_{name}", src.name, name, op, config.delay))
        if config.recurrent:
            again = Dense(_drawn(nn.Linear(op.n_dst, _limited(layer, op.n_dst**2) // op.n_dst, bias=False)))
            self.connections.append(Connection(f"again_{name}", name, name, again, 1))
        if config.batch_norm:
            self.normed.append(f"to_{name}")
        self.pool = None

    def _add_max_pool(self, layer: Layer, name: str) -> None:
        """Add neurons that fire, and are reset, when any spike comes, so that they never remember anything."""
        src = self.populations[-1]
        if src.message_bits:
            what = f"takes the largest of spikes, and {src.name!r} sends integers of {src.message_bits} bits"
            raise ConfigError(what, where=layer.where, fix="put it behind a layer of neurons")
        if self.pool:
            raise ConfigError("is a max_pool of averages", where=layer.where, fix="put it before the pool")
        op = SumPool2d.of_weight(1.0, self._window(layer))
        self.populations.append(Population(name, op.dst_shape, LIF(np.zeros(()), np.zeros(()))))
        self.connections.append(Connection(f"to_{name}", src.name, name, op))

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of what the next layer sees."""
        return (self.pool.src_shape[0], *self.pool.grid) if self.pool else self.populations[-1].shape

    @property
    def _scale(self) -> float:
        """The scale of initial weights: the value of a message, and for a pool the average."""
        return (self.unit if len(self.populations) == 1 else 1.0) / (self.pool.taps if self.pool else 1)

    def _pooled(self, layer: Layer) -> Window:
        if self.pool:
            raise ConfigError("is a pool behind a pool", where=layer.where, fix="make them one")
        window = self._window(layer)
        if window.overlaps:
            what = f"has a stride of {window.stride[0]}, below its kernel of {window.kernel[0]}"
            raise ConfigError(what, where=layer.where, fix="use no less")
        return window

    def _window(self, layer: Layer) -> Window:
        kernel, stride = layer.config.kernel or 1, layer.config.stride or layer.config.kernel or 1
        return Window(self._planes(layer), (kernel, kernel), (stride, stride))

    def _planes(self, layer: Layer) -> tuple[int, int, int]:
        if len(self._shape) != 3:
            raise ConfigError(
                f"needs planes of channels, rows and columns, and gets {self._shape}", where=layer.where, fix="put it first"
            )
        channels, rows, columns = self._shape
        return channels, rows, columns

    def _convolution(self, layer: Layer) -> Op:
        config, planes = layer.config, self._planes(layer)
        channels, side, groups = config.channels or 1, config.kernel or 1, config.groups
        if planes[0] % groups or channels % groups:
            raise ConfigError(f"has {groups} groups for {planes[0]} -> {channels} channels", where=layer.where)
        _limited(layer, channels * planes[0] // groups * side * side)
        kernel = nn.Conv2d(planes[0], channels, side, groups=groups, bias=False).weight.detach().numpy().astype(np.float64)
        geometry: dict[str, Any] = {"stride": config.stride or 1, "padding": config.padding, "groups": groups}
        exists = np.ones(kernel.shape, np.bool_)
        op = replace(Conv2d.from_kernel(kernel * self._scale, planes, **geometry, mask=exists), pool=self.pool)
        if not config.max_pool:
            return op
        rows, columns = op.window.grid
        return MaxPool2d.of(op, Window((channels, rows, columns), (config.max_pool,) * 2, (config.max_pool,) * 2))

    def _dense(self, layer: Layer, n_dst: int) -> Op:
        n_src = _limited(layer, n_dst * prod(self._shape)) // n_dst
        return Dense(_drawn(nn.Linear(n_src, n_dst, bias=False), self._scale), pool=self.pool)


def _drawn(linear: nn.Linear, scale: float = 1.0) -> Synapses:
    weight = linear.weight.detach().numpy().astype(np.float64) * scale
    return Synapses.from_dense(weight, np.ones(weight.shape, np.bool_))


def _limited(layer: Layer, weights: int) -> int:
    """Return the number of weights. Raises ConfigError if it is too large."""
    if weights > MAX_WEIGHTS:
        raise ConfigError(f"has {weights:,} weights, at most {MAX_WEIGHTS:,} are possible", where=layer.where)
    return weights


def _neuron(layer: Layer, size: int) -> Neuron:
    model = neurons.get(layer.config.neuron)
    if layer.config.bias and "bias" not in model.parameters():
        raise ConfigError(f"{layer.config.neuron} neurons have no bias", where=layer.where, fix="leave it out")
    return model(**layer.parameters, **({"bias": np.zeros(size)} if layer.config.bias else {}))
