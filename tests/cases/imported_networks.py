"""One network for every kind of population that an importer creates, made through the importer itself."""

from functools import partial

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from snnc.importers import ImportConfig, read
from snnc.importers.snntorch import read_module

from . import netx
from .nir_graphs import GRAPHS, chain, leaky, settled, synaptic, weights
from .snntorch_models import Layered, drive

EULER = ImportConfig(dt_s=1e-4, discretise="euler")
SOFT = {"beta": 0.8, "threshold": 0.35}
ZERO = {**SOFT, "reset_mechanism": "zero"}


def of_nir(nodes, folder):
    """The network of a chain of NIR nodes; ``nodes`` makes them from a generator of random numbers."""
    return of_graph(lambda rng: (chain(*nodes(rng), shape=[12]), 1e-4, "euler"), folder, 8)


def of_graph(make, folder, seed=0):
    graph, dt, rule = make(np.random.default_rng(seed))
    nir.write(folder / "x.nir", settled(graph))
    return read(str(folder / "x.nir"), ImportConfig(dt_s=dt, discretise=rule)).network


def of_module(make, folder, *, shape="12", bits=0):
    """The network of a torch module."""
    torch.manual_seed(0)
    config = ImportConfig(time_axis="first", input_shape=shape, message_bits=bits)
    return read_module(drive(make()), config, "net").network


def of_file(layers, folder, config=ImportConfig()):
    """The network of a netx file."""
    return read(netx.written(layers(np.random.default_rng(8)), folder / "x.net"), config).network


def before(neuron, last=lambda: snn.Leaky(**ZERO)):
    """A module of two layers, the first with these neurons."""
    return lambda: Layered(nn.Linear(12, 9), neuron(), nn.Linear(9, 4), last())


def planes(pool):
    return lambda: Layered(
        nn.Conv2d(2, 3, 3, padding=1), snn.Leaky(**ZERO), pool(2), nn.Flatten(), nn.Linear(27, 5), snn.Leaky(**ZERO)
    )


class Values(nn.Module):
    """Returns what its last layer makes of the spikes: outputs without neurons."""

    def __init__(self):
        super().__init__()
        self.fc, self.hidden, self.out = nn.Linear(12, 9), snn.Leaky(**ZERO), nn.Linear(9, 4)

    def forward(self, raster):
        v, values = self.hidden.reset_mem(), []
        for frame in raster:
            fired, v = self.hidden(self.fc(frame), v)
            values.append(self.out(fired))
        return torch.stack(values)


def affine(rng, n, n_src):
    return nir.Affine(weights(rng, n, n_src), rng.uniform(0.1, 0.3, n))


def linear(rng, n, n_src):
    return nir.Linear(weights(rng, n, n_src))


def full(n, value):
    return np.full(n, value)


def behind(node):
    """Nodes that end in ``node``, of five neurons behind nine."""
    return lambda rng: (linear(rng, 9, 12), leaky(9, 0.7), linear(rng, 5, 9), node(rng))


NIR = {
    "bias neuron": lambda r: (affine(r, 9, 12), synaptic(9, 0.4, 0.8), linear(r, 5, 9), leaky(5, 0.9)),
    "output without neurons": lambda r: (linear(r, 9, 12), leaky(9, 0.7), affine(r, 5, 9)),
    "threshold": lambda r: (linear(r, 9, 12), nir.Threshold(full(9, 0.6)), linear(r, 5, 9), leaky(5, 0.9)),
    "no memory": lambda r: (linear(r, 9, 12), leaky(9, 0.0)),
    "LI": behind(lambda r: nir.LI(full(5, 1e-3), full(5, 5.0), full(5, 0.0))),
    "CubaLI": lambda r: (
        linear(r, 9, 12), leaky(9, 0.7), affine(r, 5, 9), nir.CubaLI(full(5, 5e-4), full(5, 1e-3), full(5, 1.0), full(5, 0.1)),
    ),
    "I": behind(lambda r: nir.I(full(5, 100.0))),
    "delay": lambda r: (linear(r, 9, 12), leaky(9, 0.7), nir.Delay(r.integers(0, 4, 9) * 1e-4), linear(r, 5, 9), leaky(5, 0.9)),
}  # fmt: skip
MODULES = {
    "values": Values,
    "Leaky that is read": before(lambda: snn.Leaky(**ZERO), lambda: snn.Leaky(0.9, reset_mechanism="none")),
    "Synaptic that is read": before(lambda: snn.Leaky(**ZERO), lambda: snn.Synaptic(0.5, 0.9, reset_mechanism="none")),
    "Leaky": before(lambda: snn.Leaky(**SOFT)),
    "Synaptic with a bias": before(lambda: snn.Synaptic(alpha=0.5, **SOFT)),
    "Synaptic that waits": before(lambda: snn.Synaptic(alpha=0.5, **ZERO)),
    "Lapicque": before(lambda: snn.Lapicque(R=5.0, C=1.0, time_step=0.9, reset_mechanism="zero", threshold=0.35)),
    "RLeaky": before(lambda: snn.RLeaky(linear_features=9, reset_delay=False, **ZERO)),
    "RLeaky one to one": before(lambda: snn.RLeaky(all_to_all=False, V=torch.linspace(-0.3, 0.3, 9), reset_delay=False, **ZERO)),
    "RSynaptic": before(lambda: snn.RSynaptic(alpha=0.5, linear_features=9, **ZERO)),
    "own parameters": before(
        lambda: snn.Leaky(torch.linspace(0.1, 0.9, 9), threshold=torch.linspace(0.2, 0.5, 9), reset_mechanism="zero")
    ),
    "keeps all": before(lambda: snn.Leaky(1.0, threshold=0.9, reset_mechanism="zero")),
    "threshold of 0": before(lambda: snn.Leaky(0.5, threshold=0.0, reset_mechanism="zero")),
}
MADE = {
    **{name: partial(of_nir, nodes) for name, nodes in NIR.items()},
    **{name: partial(of_module, make) for name, make in MODULES.items()},
    "max-pool": partial(of_module, planes(nn.MaxPool2d), shape="2x6x6"),
    "average": partial(of_module, planes(nn.AvgPool2d), shape="2x6x6"),
    "counts": partial(of_module, before(lambda: snn.Leaky(**ZERO)), bits=3),
    "netx chain": partial(of_file, netx.spiking),
    "netx image": partial(of_file, netx.planes, config=ImportConfig(pixel_range="0:1")),
    "netx average": partial(of_file, lambda rng: [netx.dense(rng, 12, 20), netx.layer("average", (4,), numOutputs=4)]),
    **{f"nir {make.__name__}": partial(of_graph, make) for make in GRAPHS},
}
