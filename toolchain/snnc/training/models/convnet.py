"""The convolutional network of Grad R's experiments on CIFAR-10, "6Conv2FC", at any width, in torch and as a float `Network`.

Chen et al., "Pruning of Deep Spiking Neural Networks through Gradient Rewiring", IJCAI 2021, section 5. The neurons are
snnTorch's Leaky with hard reset; a current enters the voltage times 1 - beta, as in the publication's LIF with tau = 2.
Networks with other convolutions, strides instead of pools, and no hidden layer are of the same kind.

In the `Network` batch norm (its statistics of evaluation) and the factor 1 - beta of the current are folded into weights and
biases in float64; dropout goes. Max-pooling of spikes is neurons without memory that fire if anything under their window did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import snntorch
import torch
from numpy.typing import NDArray
from snntorch import surrogate
from torch import Tensor, nn

from snnc.base.config import Config, setting
from snnc.errors import ConfigError
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
from snnc.training.kernels.fire import fire
from snnc.training.kernels.sparse_conv import convolved

CONVOLUTIONS = 6  # of the publication
CLASSES = 10
MEMORYLESS = 1 - 1 / 4096  # the largest decay of v that a chip's 12 bits hold


@dataclass(frozen=True)
class ConvNetConfig(Config):
    """The publication's network; narrower ones for smaller machines."""

    width: int = setting(256, "Channels of each convolution.", low=1)
    channels: tuple[int, ...] = setting((), "Channels of each convolution, where they differ; none: six of the width.", low=1)
    strides: tuple[int, ...] = setting((), "Stride of each convolution; none: 1.", low=1)
    pooled_after: tuple[int, ...] = setting((3, 6), "Convolutions that a max-pool of 2 x 2 follows, counted from 1.", low=1)
    hidden: int = setting(2048, "Neurons of the fully connected layer; 0: there is none.", low=0)
    voters: int = setting(10, "Output neurons of a class, whose spikes are averaged.", low=1)
    steps: int = setting(8, "Time steps a sample.", low=1)
    beta: float = setting(0.5, "Part of the voltage that is left after a step.", low=0, high=1)
    threshold: float = setting(1.0, "Voltage above which a neuron fires.", low=0)
    dropout: float = setting(
        0.5, "Part of the features that a sample misses in training, the same in all its steps.", low=0, high=0.99
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.planes)
        if len(self.strides) not in (0, count):
            raise ConfigError(f"{len(self.strides)} strides for {count} convolutions", fix="give one for each, or none")
        if self.pooled_after and max(self.pooled_after) > count:
            raise ConfigError(f"a pool after convolution {max(self.pooled_after)} of {count}", fix=f"use at most {count}")

    @property
    def planes(self) -> tuple[int, ...]:
        """The channels of every convolution."""
        return self.channels or (self.width,) * CONVOLUTIONS

    @property
    def shrinks(self) -> int:
        """How many times as long as the last planes an image's side is."""
        return prod(self.strides) << len(self.pooled_after)


class ConvNet(nn.Module):
    """conv1 ... conv6 (3x3, each with batch norm and neurons), max-pooled after conv3 and conv6; fc1; fc2; a vote.

    Convolutions and linear layers have no bias. Raises ConfigError for a ``side`` that strides and pools do not divide.
    """

    def __init__(self, config: ConvNetConfig = ConvNetConfig(), device: str | None = None, side: int = 32) -> None:
        super().__init__()
        self.config, self.side = config, side
        if side % config.shrinks:
            raise ConfigError(f"strides and pools make planes {config.shrinks} times smaller, of {side} pixels", fix="use fewer")
        self.count = len(config.planes)
        channels, strides = 3, config.strides or (1,) * self.count
        for i, (planes, stride) in enumerate(zip(config.planes, strides, strict=True), 1):
            self.add_module(f"conv{i}", nn.Conv2d(channels, planes, 3, stride, 1, bias=False, device=device))
            self.add_module(f"bn{i}", nn.BatchNorm2d(planes, device=device))
            self.add_module(f"lif{i}", _neurons(config))
            channels = planes
        features = channels * (side // config.shrinks) ** 2
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(config.dropout)
        if config.hidden:
            self.fc1 = nn.Linear(features, config.hidden, bias=False, device=device)
            self.add_module(self.of_hidden, _neurons(config))
        self.fc2 = nn.Linear(config.hidden or features, CLASSES * config.voters, bias=False, device=device)
        self.add_module(self.of_voters, _neurons(config))

    @property
    def of_hidden(self) -> str:
        """Name of the hidden layer's neurons."""
        return f"lif{self.count + 1}"

    @property
    def of_voters(self) -> str:
        """Name of the voters' neurons."""
        return f"lif{self.count + 2}"

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, 3, side, side) images, 0 to 1, to (batch, steps, classes) averaged spikes, each sample from a fresh
        state.

        An image is a constant current, so that the first convolution is computed once. On a CPU channels lie last in memory,
        where convolutions, batch norm and above all pools take less time, and where few neurons fire, only their spikes are
        multiplied with weights.
        """
        lie = torch.channels_last if images.device.type == "cpu" else torch.contiguous_format
        spikes = images.contiguous(memory_format=lie)[:, None]
        for i in range(1, self.count + 1):
            spikes = self._fire(f"lif{i}", _each_step(self.get_submodule(f"conv{i}"), self.get_submodule(f"bn{i}"), x=spikes))
            if i in self.config.pooled_after:
                spikes = _each_step(self.pool, x=spikes)
        spikes = spikes.flatten(2)
        spikes = spikes * self.dropout(torch.ones_like(spikes[:, :1]))
        if self.config.hidden:
            spikes = self._fire(self.of_hidden, self.fc1(spikes))
        votes = self._fire(self.of_voters, self.fc2(spikes))
        return votes.view(*votes.shape[:2], CLASSES, -1).mean(3)

    def to_network(self, name: str) -> Network:
        """Return the float network that fires the same spikes, with batch norm folded into its weights."""
        return to_network(self, name)

    def _fire(self, name: str, currents: Tensor) -> Tensor:
        return fire(self.get_submodule(name), currents * (1 - self.config.beta), self.config.steps)


def _each_step(*layers: nn.Module, x: Tensor) -> Tensor:
    """Map (batch, steps, channels, height, width) through layers that know no steps."""
    batch, steps = x.shape[:2]
    x = x.flatten(0, 1)
    for layer in layers:
        x = convolved(layer, x) if isinstance(layer, nn.Conv2d) else layer(x)
    return x.view(batch, steps, *x.shape[1:])


def _neurons(config: ConvNetConfig) -> nn.Module:
    return snntorch.Leaky(  # type: ignore[no-any-return]
        config.beta, threshold=config.threshold, spike_grad=surrogate.atan(), reset_mechanism="zero"
    )


def to_network(
    model: ConvNet, name: str = "convnet", dt_s: float = 1e-3, done: tuple[Stage, ...] = (), *, vote: bool = True
) -> Network:
    """Return populations input, conv1, ..., pool3, ..., hidden, output (the voters) and vote; weights that are 0 were pruned.

    An image enters as 8-bit messages, the same in each step. ``vote`` is a readout that sums the spikes of a class's voters;
    its voltage keeps 1 / 4096 from step to step, so that the earlier of two equal counts wins. Without ``vote`` the
    voters are the output, for chips that have no readout without spikes.
    """
    parts = _Parts(model)
    src = parts.add(Population("input", (3, model.side, model.side), None, Encoding("constant").message_bits))
    for i in range(1, model.count + 1):
        layers = [model.get_submodule(f"conv{i}"), model.get_submodule(f"bn{i}")]
        src = parts.add_layer(f"conv{i}", src, layers, f"lif{i}", Encoding("constant").unit if i == 1 else 1.0)
        if i in model.config.pooled_after:
            src = parts.add_pool(f"pool{i}", src, model.pool)
    if model.config.hidden:
        src = parts.add_layer("hidden", src, [model.fc1], model.of_hidden)
    src = parts.add_layer("output", src, [model.fc2], model.of_voters)
    if vote:
        parts.add_vote(src, model.config.voters)
    encoding = Encoding("constant", model.config.steps)
    return Network(name, tuple(parts.populations), tuple(parts.connections), dt_s, encoding=encoding, done=done)


class _Parts:
    """The populations and connections so far."""

    def __init__(self, model: ConvNet) -> None:
        self.model = model
        self.populations: list[Population] = []
        self.connections: list[Connection] = []

    def add(self, p: Population, src: Population | None = None, op: Op | None = None) -> Population:
        """Add the population, and the connection into it, which has its name."""
        self.populations.append(p)
        if src and op:
            self.connections.append(Connection(f"to_{p.name}", src.name, p.name, op))
        return p

    def add_layer(self, name: str, src: Population, layers: Sequence[nn.Module], neurons: str, unit: float = 1.0) -> Population:
        """Add a convolution or linear layer with what follows it up to its neurons; ``unit``: the value of a message of 1."""
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
        """Add neurons that fire if anything under their window did."""
        op = SumPool2d.of_weight(1.0, window_of(pool, src.shape))
        return self.add(Population(name, op.dst_shape, LIF(np.array(0.0), np.array(0.0))), src, op)

    def add_vote(self, src: Population, voters: int) -> Population:
        """Add a readout that sums the spikes of each class's voters."""
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
