"""The networks of snnTorch's tutorials 5, 6 and 7 as their readers write them: soft reset, max-pools of currents, hidden states.

snnTorch 1.0, docs/tutorials/tutorial_5.rst to tutorial_7.rst; weights are random, and large enough that all layers fire. A user's
file: it knows nothing of snnc, and `snnc import tutorials.py:tutorial6` takes it as it is. ``small_...``: with fewer neurons.
"""

import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn


class FullyConnected(nn.Module):
    """Tutorial 5: two layers of leaky neurons, an image that is shown in every step."""

    def __init__(self, inputs, hidden, outputs, beta, steps):
        super().__init__()
        self.steps = steps
        self.fc1, self.lif1 = nn.Linear(inputs, hidden), snn.Leaky(beta=beta)
        self.fc2, self.lif2 = nn.Linear(hidden, outputs), snn.Leaky(beta=beta)

    def forward(self, x):
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(self.steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        return torch.stack(spikes, dim=0), torch.stack(membranes, dim=0)


def fires(module):
    """The module with weights three times as large; with those of torch the last layers of tutorials 6 and 7 are silent."""
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight *= 3
    return module


def convolutional(channels, kernel, features, spike_grad, seed, beta=0.5):
    """Tutorials 6 and 7: two convolutions, each max-pooled before its neurons; ``channels``: of input and convolutions."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(channels[0], channels[1], kernel),
        nn.MaxPool2d(2),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
        nn.Conv2d(channels[1], channels[2], kernel),
        nn.MaxPool2d(2),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True),
        nn.Flatten(),
        nn.Linear(features, 10),
        snn.Leaky(beta=beta, spike_grad=spike_grad, init_hidden=True, output=True),
    )
    return fires(net)


def tutorial5():
    torch.manual_seed(0)
    return fires(FullyConnected(28 * 28, 1000, 10, beta=0.95, steps=25))


def tutorial6():
    return convolutional((1, 12, 64), 5, 64 * 4 * 4, surrogate.fast_sigmoid(slope=25), seed=0)


def tutorial7():
    return convolutional((2, 12, 32), 5, 32 * 5 * 5, surrogate.atan(), seed=0)


def small_tutorial5():
    torch.manual_seed(0)
    return fires(FullyConnected(8 * 8, 30, 10, beta=0.95, steps=10))


def small_tutorial6():
    return convolutional((1, 4, 6), 3, 6, surrogate.fast_sigmoid(slope=25), seed=1)


def small_tutorial7():
    return convolutional((2, 3, 5), 3, 20, surrogate.atan(), seed=1)
