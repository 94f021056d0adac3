"""Networks with every operator, in floats and in integers, that the tests share."""

from dataclasses import replace

import numpy as np

from cases.networks import LOIHI, fixed_dense
from snnc.network.arithmetic import Fixed, Float
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.network.window import Window
from snnc.neurons.lif import LIF
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.ops.sumpool2d import SumPool2d

INPUT = (4, 9, 8)
POOL = Window((6, 5, 9), (2, 3), (2, 3))


def conv(rng, shape, src_shape, numeric, density=0.8, **geometry):
    """A convolution with random weights on the grid of ``numeric``."""
    mask = rng.random(shape) < density
    mask[:, 0, 0, 0] = True
    if isinstance(numeric, Float):
        return Conv2d.from_kernel(rng.normal(0.05, 1 / np.sqrt(np.prod(shape[1:])), shape), src_shape, mask=mask, **geometry)
    grid = np.array(weight_grid(numeric, "mixed"))
    kernel = rng.choice(grid[grid != 0], shape)
    return replace(Conv2d.from_kernel(kernel, src_shape, mask=mask, **geometry), sign_mode="mixed")


def dense(rng, n_dst, n_src, numeric, density=0.5):
    """A dense operator likewise."""
    if isinstance(numeric, Fixed):
        return fixed_dense(rng, n_dst, n_src, density=density, numeric=numeric)
    mask = rng.random((n_dst, n_src)) < density
    mask[:, 0] = True
    return Dense(Synapses.from_dense(rng.normal(0.05, 1 / np.sqrt(n_src * density), (n_dst, n_src)), mask))


def lif(rng, channels, places, numeric):
    """LIF with a threshold and a bias for each channel."""
    if isinstance(numeric, Float):
        thresholds, decay, biases = rng.uniform(0.4, 1.2, channels), 0.25, rng.uniform(-0.05, 0.05, channels)
    else:
        thresholds, decay, biases = rng.integers(150, 400, channels), 1024, rng.integers(-900, 900, channels)
    return LIF(np.repeat(thresholds, places), decay, np.repeat(biases, places))


def convolutional(numeric=LOIHI, seed=0, *, steps=12, delays=False):
    """Every operator: a strided convolution in groups, a pool before neurons without memory, a convolution of pooled
    messages with dilation, dense ones, two paths that meet. ``delays``: of connections, axons and synapses."""
    rng = np.random.default_rng(seed)
    forgetful = LIF(0.0, 0.0) if isinstance(numeric, Float) else LIF(0, 0)
    populations = (
        Population("input", INPUT, None),
        Population("conv1", (6, 5, 9), lif(rng, 6, 45, numeric)),
        Population("any", (6, 2, 4), forgetful),
        Population("conv2", (5, 3, 3), lif(rng, 5, 9, numeric)),
        Population("output", (4,), lif(rng, 4, 1, numeric)),
    )
    pooling = SumPool2d.of_weight(1.0 if isinstance(numeric, Float) else 64, Window((6, 5, 9), (2, 2), (2, 2)))
    ops = {
        "c1": conv(rng, (6, 2, 3, 2), INPUT, numeric, stride=(2, 1), padding=(1, 1), groups=2),
        "p1": pooling if isinstance(numeric, Float) else replace(pooling, sign_mode="excitatory"),
        "c2": replace(conv(rng, (5, 6, 2, 2), (6, 2, 3), numeric, padding=1, dilation=(1, 2)), pool=POOL),
        "d1": dense(rng, 4, 48, numeric),
        "d2": dense(rng, 4, 45, numeric),
    }
    ends = {
        "c1": ("input", "conv1"),
        "p1": ("conv1", "any"),
        "c2": ("conv1", "conv2"),
        "d1": ("any", "output"),
        "d2": ("conv2", "output"),
    }
    connections = [Connection(name, *ends[name], op) for name, op in ops.items()]
    if delays:
        delayed = rng.integers(0, 4, ops["d1"].synapses.count).astype(np.int32)
        op = replace(ops["d1"], synapses=replace(ops["d1"].synapses, delays=delayed))
        connections[3] = replace(connections[3], op=op, delay_steps=1)
        connections[2] = replace(connections[2], axon_delays=rng.integers(0, 3, 270).astype(np.int32))
    return Network("convolutional", populations, tuple(connections), 1e-3, numeric, Encoding("rate", steps, seed))


def unrolled(net):
    """The same network with a weight of its own for every synapse."""
    connections = [replace(c, op=Dense(c.op.unrolled(), c.op.exponent, c.op.sign_mode)) for c in net.connections]
    return replace(net, connections=tuple(connections))
