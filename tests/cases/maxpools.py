"""Networks whose neurons get the largest of some sums: every kind of sum, graded messages, delays, exponents of both signs."""

from dataclasses import replace

import numpy as np

from cases.convolutions import conv
from cases.networks import LOIHI, fixed_dense, fixed_neuron
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population
from snnc.network.window import Window
from snnc.ops.maxpool2d import MaxPool2d
from snnc.ops.sumpool2d import SumPool2d

SHAPE = (3, 6, 4)
NAMES = ("shifted", "overlapping", "pooled", "summed", "dense", "inhibitory")
BIAS = {"summed": 12_000, "inhibitory": 70_016, "dense": -96_000}  # so that none is silent, and none fires always


def operators(rng, numeric=LOIHI):
    """Each operator with the population that it comes from; sums of a convolution, a pool, a dense layer, pooled messages."""
    pool = Window(SHAPE, (2, 2), (2, 2))
    shifted = conv(rng, (4, 3, 3, 2), SHAPE, numeric, stride=(1, 2), padding=(1, 0))
    pooled = conv(rng, (2, 3, 2, 2), (3, 3, 2), numeric, padding=(1, 1))
    summed = replace(SumPool2d.of_weight(-100, Window(SHAPE, (2, 2), (1, 1))), sign_mode="mixed")
    return {
        "shifted": ("input", MaxPool2d.of(replace(shifted, exponent=-2), Window(shifted.dst_shape, (2, 1), (2, 1)))),
        "overlapping": (
            "graded",
            MaxPool2d.of(conv(rng, (4, 3, 2, 2), SHAPE, numeric), Window((4, 5, 3), (3, 2), (1, 2), (1, 1))),
        ),
        "pooled": ("input", MaxPool2d.of(replace(pooled, pool=pool), Window(pooled.dst_shape, (2, 2), (1, 1), (0, 1), (2, 1)))),
        "summed": ("input", MaxPool2d.of(summed, Window(summed.dst_shape, (2, 3), (2, 3)))),
        "dense": ("graded", MaxPool2d.of(fixed_dense(rng, 24, 72, exponent=-1), Window((2, 3, 4), (3, 2), (3, 2)))),
        "inhibitory": ("input", MaxPool2d.of(fixed_dense(rng, 12, 72, sign_mode="inhibitory"), Window((1, 3, 4), (2, 2)))),
    }


def network(seed=0, model="cuba_subtract", names=NAMES):
    """One population behind each operator that is named, a delay on one of them, and an output behind all."""
    rng = np.random.default_rng(seed)
    chosen = {name: operator for name, operator in operators(rng).items() if name in names}
    populations = [Population("input", SHAPE, None), Population("graded", SHAPE, None, 3)]
    connections = []
    for name, (src, op) in chosen.items():
        bias = BIAS.get(name, -600)
        populations.append(Population(name, op.dst_shape, fixed_neuron(model, 150, bias=bias)))
        connections.append(Connection(f"to_{name}", src, name, op, 2 if name == "pooled" else 0))
    populations.append(Population("output", (8,), fixed_neuron(model, 200)))
    for name, (_, op) in chosen.items():
        connections.append(Connection(f"from_{name}", name, "output", fixed_dense(rng, 8, op.n_dst)))
    return Network("largest", tuple(populations), tuple(connections), 1e-3, LOIHI, Encoding("rate", 12))


def rasters(net, samples=5, steps=12, seed=0):
    """Messages of every size."""
    rng = np.random.default_rng(seed)
    return {
        p.name: (rng.random((samples, steps, p.size)) < 0.4)
        * rng.integers(1, 2 ** max(p.message_bits, 1), (samples, steps, p.size))
        for p in net.inputs
    }
