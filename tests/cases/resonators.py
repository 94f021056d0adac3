"""Networks of resonate-and-fire neurons whose turn and decay are chosen."""

from dataclasses import replace

import numpy as np

from cases.networks import fixed_chain
from snnc.neurons.resonate import Resonate


def resonators(threshold=300, *, level=0, decay=0.97, angle=0.35, strong=0):
    """A layer of neurons on random weights; each step keeps ``decay`` of the states and turns them by about ``angle``."""
    net = fixed_chain(3, (15, 6), exponent=strong)
    turns = angle + np.linspace(-0.1, 0.1, 6)
    if decay == 1.0:
        cosine, sine = np.full(6, 4096), np.zeros(6, np.int64)  # the only whole numbers that lose nothing
    else:
        cosine, sine = (np.trunc(4096 * decay * turn(turns)).astype(np.int64) for turn in (np.cos, np.sin))
    own = Resonate(np.int64(threshold), cosine, sine, np.int64(level))
    return replace(net, populations=(net["input"], replace(net["output"], neuron=own)))
