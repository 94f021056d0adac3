"""Which kernel computes a population: the one that takes less time at the activity that was measured. No result depends on it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from snnc.simulation.engine.block import Kernel
from snnc.simulation.engine.plan import Layer, Program
from snnc.simulation.engine.vector import LANES

GUESS = 0.1  # messages a neuron and step, of populations that have not run yet

# nanoseconds, measured on a processor with AVX-512; only their ratios matter
_ADDER, _ADDER_ALONE, _SAMPLED_NEURON, _PACKED_NEURON = 0.55, 1.1, 55.0, 20.0  # for LANES samples; alone: a step at a time
_SYNAPSE, _NEURON, _SCANNED = 0.7, 0.2, 0.05  # for one sample


def choose(plan: Program, samples: int, activity: Mapping[str, float]) -> dict[str, Kernel]:
    """Choose a kernel for each population. ``samples`` run together; ``activity``: messages a neuron and step, by population."""
    chosen: dict[str, Kernel] = {}
    for layer in plan.layers:
        chosen[layer.name] = _cheaper(plan, layer, samples, activity, chosen)
    return chosen


def _cheaper(plan: Program, layer: Layer, samples: int, activity: Mapping[str, float], chosen: Mapping[str, Kernel]) -> Kernel:
    """Choose by the time that a step takes; where source and destination have other kernels, spikes change their format, too."""
    rounds = -(-samples // LANES)
    bits, bytes_, messages = 0, 0, 0.0
    for i in layer.inputs:
        as_bits = chosen.get(i.src) == "lanes" and not i.part.delay_steps
        bits, bytes_ = bits + as_bits * i.part.op.n_src, bytes_ + (not as_bits) * i.part.op.n_src
        messages += activity.get(i.src, GUESS) * i.part.op.synapse_count
    events = samples * (_SYNAPSE * messages + _NEURON * layer.n + _SCANNED * (bits + bytes_)) + rounds * _PACKED_NEURON * bits
    if events < rounds * _SAMPLED_NEURON * layer.n or layer.name not in plan.board.layers:
        return "events"
    adders = (_ADDER_ALONE if plan.loops else _ADDER) * plan.board.layers[layer.name].adders
    lanes = adders + _SAMPLED_NEURON * layer.n + _PACKED_NEURON * bytes_
    return "lanes" if rounds * lanes < events else "events"


def measured(rasters: Mapping[str, NDArray[np.integer]]) -> dict[str, float]:
    """Return the messages a neuron and step, by population."""
    return {name: float(np.count_nonzero(raster)) / max(raster.size, 1) for name, raster in rasters.items()}
