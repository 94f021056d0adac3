"""snnTorch modules for the tests of the import, and the comparison with the network that is made of them."""

import numpy as np
import torch
from snntorch import SpikingNeuron
from torch import nn

from snnc.importers import ImportConfig
from snnc.importers.snntorch import read_module
from snnc.simulation.reference import simulate

INPUTS, NEURONS, STEPS = 30, 400, 400


class Layered(nn.Module):
    """Modules called one after the other in each step; neurons keep or pass on their states as they were made to.

    ``forward``: a raster (steps, batch, n) -> the spikes of the last layer in every step.
    """

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, raster):
        states = [()] * len(self.layers)
        fired = []
        for x in raster:
            for i, layer in enumerate(self.layers):
                x = layer(x, *states[i])
                if isinstance(x, tuple):
                    spikes, rest = x[0], x[1:]
                    own = (spikes, *rest) if hasattr(layer, "recurrent") else rest
                    states[i] = () if layer.init_hidden else own
                    x = spikes
            fired.append(x)
        return torch.stack(fired)


def linear(n_in, n_out, *, seed=0, bias=True, drive=0.5, spread=1.0):
    """A linear layer in float64 whose neurons get ``drive`` on average at a firing rate of 0.3."""
    rng = np.random.default_rng(seed)
    layer = nn.Linear(n_in, n_out, bias=bias).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.normal(drive / (0.3 * n_in), spread / np.sqrt(n_in), (n_out, n_in))))
        if bias:
            layer.bias.copy_(torch.from_numpy(rng.normal(0, 0.1, n_out)))
    return layer


def drive(module, target=0.4, spread=1.0, seed=5):
    """Give all layers with weights such that neurons fire: `linear` for any of them. Returns the module."""
    rng = np.random.default_rng(seed)
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            fan = layer.weight[0].numel()
            weight = rng.normal(target / (0.3 * fan), spread / np.sqrt(fan), layer.weight.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight))
                if layer.bias is not None:
                    layer.bias.copy_(torch.from_numpy(rng.normal(0, 0.05, len(layer.weight))))
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            for values, low in ((layer.running_mean, -0.1), (layer.running_var, 0.5), (layer.weight, 0.8), (layer.bias, 0.0)):
                values.data.copy_(torch.from_numpy(rng.uniform(low, low + 0.3, len(values))))
    return module


def raster(steps=STEPS, samples=1, shape=(INPUTS,), rate=0.3, seed=7):
    """(steps, samples, *shape) of random spikes."""
    return (np.random.default_rng(seed).random((steps, samples, *shape)) < rate).astype(np.float64)


def in_float64(module):
    """The module with all its numbers in float64, and in evaluation; snnTorch's surrogates hand on float32 spikes."""
    for layer in module.modules():
        if not list(layer.children()) or isinstance(layer, SpikingNeuron):
            layer.register_forward_pre_hook(lambda layer, args: (args[0].double(), *args[1:]))
    return module.double().eval()


def fired_in_torch(module, given):
    """The spikes of every layer of neurons, (samples, steps, n) by name, from one run of the user's own module."""
    seen, hooks = {}, []
    for name, layer in module.named_modules():
        if isinstance(layer, SpikingNeuron):
            layer.reset_mem()

            def after(layer, args, out, name=name):
                spikes = out[0] if isinstance(out, tuple) else out
                seen.setdefault(name, []).append((spikes != 0).flatten(1).numpy())

            hooks.append(layer.register_forward_hook(after))
    with torch.no_grad():
        outputs = [module(torch.from_numpy(given))] if given.ndim > 2 and not isinstance(module, nn.Sequential) else [
            module(torch.from_numpy(x)) for x in given]  # fmt: skip
    for hook in hooks:
        hook.remove()
    return {name: np.stack(steps, 1).astype(np.uint8) for name, steps in seen.items()}, outputs


def must_be_equal(want, got, *, low=0.05, high=0.5):
    """Two rasters are the same, and prove something: neither silent nor saturated. Used for every comparison here."""
    assert want.shape == got.shape
    rate = want.mean()
    assert low <= rate <= high, f"a firing rate of {rate:.3f} proves little"
    assert not (want != got).any(), f"{(want != got).sum()} of {want.size} slots differ"


def same_spikes(module, given, config=ImportConfig(time_axis="first"), *, enough=NEURONS * STEPS):
    """Import a module and hold its network against it; returns what was imported."""
    in_float64(module)
    want, _ = fired_in_torch(module, given)
    imported = read_module(module, config, "net")
    net = imported.network
    inputs = np.moveaxis(given, 0, 1).reshape(given.shape[1], len(given), -1).astype(np.uint8)
    run = simulate(net, {"input": inputs})
    compared = 0
    for part in imported.parts:
        if part.place in want and net_of(part):
            must_be_equal(want[part.place], run.spikes[net_of(part)])
            compared += want[part.place].size
    assert compared >= enough
    return imported


def net_of(part):
    """The population that a layer of neurons became, if it fires."""
    return part.became.split()[1] if part.became.startswith("population") and not part.became.endswith("(li)") else None
