"""What the snnTorch model of a float network does, as a `Run`: the other side of the verdict "float against torch"."""

import snntorch
import torch

from snnc.ir import Network
from snnc.run import Rasters, Run
from snnc.training.models import from_network


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
