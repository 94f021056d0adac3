"""The torch side of the verdict "float against torch": a run of the torch model of a network, as a `Run`. For a float network
this is its snnTorch model, or the module that trains it if there is none; for an integer network it is the module that
fine-tuning trains, which computes the chip's integers.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import snntorch
import torch

from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.passes.quantise import scales
from snnc.simulation.run import Rasters, Run
from snnc.training.models.feedforward import from_network, is_chain
from snnc.training.models.graph import FloatGraph, Graph
from snnc.training.quantised.integer import IntegerModel


def torch_run(net: Network, inputs: Rasters) -> Run:
    """Return the spikes of every population in float64, from rasters (samples, steps, n); of states only the
    voltages of readouts are recorded.

    A chain of dense layers runs as snnTorch's layers, any other network by its neurons' own steps.
    """
    if is_chain(net):
        return _run(f"snnTorch {snntorch.__version__}", from_network(net).double(), net, inputs)
    return _run(f"torch {torch.__version__}", FloatGraph(net, dtype=torch.float64), net, inputs)


def _run(by: str, model: Any, net: Network, inputs: Rasters) -> Run:
    unit = net.encoding.unit if net.encoding else 1.0
    rasters = {p.name: torch.from_numpy(np.ascontiguousarray(inputs[p.name])).double().mul_(unit) for p in net.inputs}
    given = next(iter(rasters.values())) if len(rasters) == 1 else rasters
    with torch.no_grad():
        spikes, voltages = model.eval().run(given) if isinstance(model, Graph) else (model.eval().spikes(given), {})
    if (
        spikes.keys() != (own := {p.name: None for p in net.ordered if p.neuron}).keys()
    ):  # snnTorch's layers have names of their own
        spikes = dict(zip(own, spikes.values(), strict=True))
    fired = {p.name: inputs[p.name] for p in net.inputs} | {name: s.numpy().astype("uint8") for name, s in spikes.items()}
    states = {p.name: {p.neuron.readout: voltages[p.name].numpy()} for p in net.ordered if p.neuron and p.name in voltages}
    return Run(by, net.dt_s, fired, states, {p.name: 0 for p in net.ordered})


def torch_runner(net: Network) -> Callable[[Rasters], Run]:
    """Return the function that runs the torch model of a network; the model is made once.

    Raises UnsupportedError for a network that torch cannot express here.
    """
    if not isinstance(net.numeric, Fixed):
        return lambda inputs: torch_run(net, inputs)
    model = IntegerModel(net, {c.name: _latent(c, scales(net)[c.dst]) for c in net.connections if c.dst in scales(net)}).eval()
    return lambda inputs: _run(f"torch {torch.__version__}, in integers", model, net, inputs)


def _latent(c: Connection, scale: float) -> torch.Tensor:
    """Return float weights that round to those of the connection."""
    return torch.from_numpy(c.op.synapses.values * (2.0**c.op.exponent / scale))
