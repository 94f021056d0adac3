"""Modules that snnTorch 0.6 to 1.0 all run, and their spikes by the version that is installed: python snntorch_07.py OUTPUTS.npz

OUTPUTS.npz gets the spikes of the neurons of every case in `CASES`, (steps, batch, n), as NAME.LAYER, and ``version``.
"""

import sys
from itertools import product

import numpy as np
import snntorch as snn
import torch
from torch import nn

STEPS, SAMPLES, INPUTS = 120, 3, 12
KINDS = ("Leaky", "Synaptic", "Lapicque", "RLeaky", "RSynaptic")
CASES = {f"{kind} {reset} {'hidden' if hidden else 'by hand'}": (kind, reset, hidden)
         for kind, reset, hidden in product(KINDS, ("zero", "subtract"), (False, True))}  # fmt: skip
STATES = {"Leaky": 1, "Lapicque": 1, "Synaptic": 2, "RLeaky": 2, "RSynaptic": 3}


def neurons(kind, reset, hidden):
    common = {"threshold": 0.4, "reset_mechanism": reset, "init_hidden": hidden}
    if kind == "Lapicque":
        return snn.Lapicque(R=4.0, C=1.0, time_step=0.9, **common)
    if kind in ("Synaptic", "RSynaptic"):
        common["alpha"] = 0.4
    if kind in ("RLeaky", "RSynaptic"):
        common |= {"all_to_all": False, "V": torch.linspace(-0.2, 0.2, 9)}
    return getattr(snn, kind)(beta=torch.linspace(0.3, 0.95, 9), **common)


class Net(nn.Module):
    """Two layers; the neurons of the first are those of the case."""

    def __init__(self, kind, reset, hidden):
        super().__init__()
        self.kind, self.hidden = kind, hidden
        self.fc1, self.first = nn.Linear(INPUTS, 9), neurons(kind, reset, hidden)
        self.fc2, self.second = nn.Linear(9, 5), snn.Leaky(beta=0.8, threshold=0.4)
        rng = np.random.default_rng(3)
        for layer in (self.fc1, self.fc2):
            n, n_src = layer.weight.shape
            layer.weight.data = torch.from_numpy(rng.normal(0.8 / n_src, 1.2 / np.sqrt(n_src), (n, n_src)).astype(np.float32))
            layer.bias.data = torch.from_numpy(rng.normal(0.0, 0.1, n).astype(np.float32))

    def forward(self, raster):
        states = list(self.fresh()) if not self.hidden else []
        v, out = self.second.init_leaky(), []
        for frame in raster:
            fired = self.first(self.fc1(frame), *states)
            if not self.hidden:
                states = list(fired if self.kind.startswith("R") else fired[1:])
                fired = fired[0]
            spikes, v = self.second(self.fc2(fired), v)
            out.append(spikes)
        return torch.stack(out)

    def fresh(self):
        made = getattr(self.first, f"init_{self.kind.lower()}")()
        return made if isinstance(made, tuple) else (made,)


def leaky():
    """The module of a case as `snnc import snntorch_07.py:leaky` takes it."""
    return Net("Leaky", "subtract", False)


def raster():
    return (np.random.default_rng(7).random((STEPS, SAMPLES, INPUTS)) < 0.3).astype(np.float64)


def fired(case):
    """The spikes of both layers of neurons, in float64."""
    net, seen = Net(*CASES[case]).double().eval(), {"first": [], "second": []}
    for name, layer in (("first", net.first), ("second", net.second)):
        layer.spike_grad = lambda x: (x > 0).to(torch.float64)
        layer.register_forward_hook(lambda _, a, out, name=name: seen[name].append(out[0] if isinstance(out, tuple) else out))
    with torch.no_grad():
        net(torch.from_numpy(raster()))
    return {f"{case}.{name}": torch.stack(steps).numpy().astype(np.uint8) for name, steps in seen.items()}


if __name__ == "__main__":
    spikes = {}
    torch.set_default_dtype(torch.float64)
    for one in CASES:
        spikes |= fired(one)
    np.savez(sys.argv[1], version=np.array(snn.__version__), **spikes)
