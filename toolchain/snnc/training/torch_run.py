"""What the torch model of a network does, as a `Run`: the other side of the verdict "float against torch". Of a float network
that is its snnTorch model, of an integer network the module that fine-tuning trains, which computes the chip's integers.
"""

from collections.abc import Callable

import numpy as np
import snntorch
import torch

from snnc.network.arithmetic import Fixed
from snnc.network.model import Connection, Network
from snnc.passes.quantise import scales
from snnc.simulation.run import Rasters, Run
from snnc.training.models.feedforward import from_network
from snnc.training.quantised.integer import IntegerModel


def torch_run(net: Network, inputs: Rasters) -> Run:
    """The spikes of every population under snnTorch in float64, from rasters (samples, steps, n); states are not recorded.

    Raises UnsupportedError for a network that snnTorch cannot express.
    """
    model = from_network(net).double().eval()
    name = net.inputs[0].name
    unit = net.encoding.unit if net.encoding else 1.0
    with torch.no_grad():
        spikes = model.spikes(torch.from_numpy(inputs[name]).double().mul_(unit))
    fired = {name: inputs[name]} | {p: s.numpy().astype("uint8") for p, s in spikes.items()}
    return Run(f"snnTorch {snntorch.__version__}", net.dt_s, fired, {}, {p.name: 0 for p in net.ordered})


def torch_runner(net: Network) -> Callable[[Rasters], Run]:
    """What runs the torch model of a network, which is made once.

    Raises UnsupportedError for a network that torch cannot express here.
    """
    if not isinstance(net.numeric, Fixed):
        return lambda inputs: torch_run(net, inputs)
    model = IntegerModel(net, {c.name: _latent(c, scales(net)[c.dst]) for c in net.connections if c.dst in scales(net)}).eval()
    return lambda inputs: _integer_run(model, inputs)


def _latent(c: Connection, scale: float) -> torch.Tensor:
    """Float weights that are rounded to those of the connection."""
    return torch.from_numpy(c.op.synapses.values * (2.0**c.op.exponent / scale))


def _integer_run(model: IntegerModel, inputs: Rasters) -> Run:
    net, (name, raster) = model.net, next(iter(inputs.items()))
    with torch.no_grad():
        spikes = model.spikes(torch.from_numpy(np.ascontiguousarray(raster)).double().mul_(model.unit))
    fired = {name: raster} | {p: s.numpy().astype("uint8") for p, s in spikes.items()}
    return Run(f"torch {torch.__version__}, in integers", net.dt_s, fired, {}, {p.name: 0 for p in net.ordered})
