"""Small chips and networks for the tests of mapping, and what holds for every mapping."""

from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import strategies as st

from cases.convolutions import conv
from cases.networks import LOIHI, conv_net, fixed_chain, fixed_dense, fixed_loops, fixed_neuron
from snnc import chips
from snnc.mapping import strategies
from snnc.mapping.model import Slice
from snnc.network.encoding import Encoding
from snnc.network.model import Connection, Network, Population

LOIHI1 = chips.load("loihi1")
needs_library = pytest.mark.skipif(
    find_spec("mtkahypar") is None, reason="the package mtkahypar is not installed: pip install '.[map]'"
)
STRATEGIES = [pytest.param(n, marks=needs_library if n in ("hypergraph", "levels") else ()) for n in strategies.names()]


def chip(cores=128, neurons=1024, axons_in=4096, axons_out=4096, words=16384):
    """Loihi 1 with other limits, so that they bind on small networks."""
    limits = ("neurons_per_core", neurons), ("input_axons_per_core", axons_in), ("output_axons_per_core", axons_out)
    return replace(LOIHI1, name="tiny", cores=cores, limits=dict([*limits, ("synapse_words_per_core", words)]))


def must_be_the_longest(meter, data, resources):
    """Of a drawn slice a core holds as many neurons as measuring every length finds, by what comes in."""
    p = data.draw(st.sampled_from([p for p in meter.net.populations if p.neuron]))
    start = data.draw(st.integers(0, p.size - 1))
    core_slice = Slice(p.name, start, data.draw(st.integers(start + 1, p.size)))
    fits = []
    for stop in range(start + 1, core_slice.stop + 1):
        used = meter.incoming(Slice(p.name, start, stop))
        fits.append(all(used[r] <= meter.profile.limits[r] for r in resources))
    assert meter.fitting(core_slice) == (fits.index(False) if False in fits else len(fits))


def fixed_conv(seed=0, density=0.5):
    """Two convolutions of integers, the second with stride 2, and a dense output; all neurons are alike."""
    rng = np.random.default_rng(seed)
    op1 = conv(rng, (4, 2, 3, 3), (2, 5, 5), LOIHI, density, padding=(1, 1))
    op2 = conv(rng, (5, 4, 3, 3), (4, 5, 5), LOIHI, density, stride=(2, 2))
    ops = (op1, op2, fixed_dense(rng, 4, 20, density=density))
    names = ("input", "conv1", "conv2", "output")
    shapes = ((2, 5, 5), *(op.dst_shape for op in ops))
    populations = [
        Population(n, shape, fixed_neuron("lif") if n != "input" else None) for n, shape in zip(names, shapes, strict=True)
    ]
    connections = [Connection(f"c{i}", *ends, op) for i, (ends, op) in enumerate(zip(pairwise(names), ops, strict=True))]
    return Network("conv", tuple(populations), tuple(connections), 1e-3, LOIHI, Encoding("rate", 10, seed))


NETWORKS = {"chain": lambda: fixed_chain(3, (12, 40, 30, 5)), "loops": lambda: fixed_loops(2, (12, 30, 5)), "conv": conv_net}
CHIPS = {
    "roomy": chip(), "neurons": chip(neurons=24), "words": chip(neurons=60, words=150), "axons": chip(neurons=50, axons_in=60),
    "output axons": chip(neurons=40, axons_out=150),
}  # fmt: skip


def must_cover_once(net, cores):
    for p in net.populations:
        covered = [i for core in cores for s in core.slices if s.population == p.name for i in range(s.start, s.stop)]
        assert sorted(covered) == (list(range(p.size)) if p.neuron else [])
        assert all(s.start < s.stop for core in cores for s in core.slices)


def held(core, population):
    return [i for s in core.slices if s.population == population for i in range(s.start, s.stop)]
