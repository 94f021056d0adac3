"""Builds the network that a table of layers describes, with torch's initial weights."""

from collections.abc import Sequence
from dataclasses import replace
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
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.training.layers import Layer
from snnc.training.settings import MAX_WEIGHTS


def from_layers(
    layers: Sequence[Layer], name: str, shape: tuple[int, ...], classes: int, encoding: Encoding, dt_s: float
) -> Network:
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
    return Network(name, tuple(table.populations), tuple(table.connections), dt_s, encoding=encoding)


class _Table:
    """The network so far."""

    def __init__(self, entry: Population, unit: float) -> None:
        self.populations, self.unit = [entry], unit
        self.connections: list[Connection] = []
        self.pool: Window | None = None  # before the layer to come

    def add(self, layer: Layer, name: str, classes: int) -> None:
        """Add one more layer behind the last."""
        config, src = layer.config, self.populations[-1]
        if config.kind == "pool":
            self.pool = self._pooled(layer)
            return
        op = self._convolution(layer) if config.kind == "conv2d" else self._dense(layer, config.neurons or classes)
        population = Population(name, op.dst_shape, _neuron(layer, op.n_dst))
        self.populations.append(population)
        self.connections.append(Connection(f"to_{name}", src.name, name, op, config.delay))
        if config.recurrent:
            again = Dense(_drawn(nn.Linear(op.n_dst, _limited(layer, op.n_dst**2) // op.n_dst, bias=False)))
            self.connections.append(Connection(f"again_{name}", name, name, again, 1))
        self.pool = None

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of what the next layer sees."""
        return (self.pool.src_shape[0], *self.pool.grid) if self.pool else self.populations[-1].shape

    @property
    def _scale(self) -> float:
        """The scale of initial weights: the value of a message, and for a pool the average."""
        return (self.unit if len(self.populations) == 1 else 1.0) / (self.pool.taps if self.pool else 1)

    def _pooled(self, layer: Layer) -> Window:
        kernel, stride = layer.config.kernel or 1, layer.config.stride or layer.config.kernel or 1
        if self.pool:
            raise ConfigError("is a pool behind a pool", where=layer.where, fix="make them one")
        window = Window(self._planes(layer), (kernel, kernel), (stride, stride))
        if window.overlaps:
            raise ConfigError(f"has a stride of {stride}, below its kernel of {kernel}", where=layer.where, fix="use no less")
        return window

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
        return replace(Conv2d.from_kernel(kernel * self._scale, planes, **geometry, mask=exists), pool=self.pool)

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
