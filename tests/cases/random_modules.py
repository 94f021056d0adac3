"""Random snnTorch modules: layers, loops over time, resets, recurrences and states kept by hand, with and without tricks that no
network can follow."""

import numpy as np
import snntorch as snn
import torch
from torch import nn

INPUTS = 8
NEURONS = {
    "leaky": lambda n, kw: snn.Leaky(0.85, threshold=0.4, reset_mechanism="zero", **kw),
    "leaky soft": lambda n, kw: snn.Leaky(0.7, threshold=0.5, **kw),
    "leaky many": lambda n, kw: snn.Leaky(torch.linspace(0.5, 0.95, n), threshold=0.4, reset_mechanism="zero", **kw),
    "synaptic": lambda n, kw: snn.Synaptic(0.6, 0.8, threshold=0.7, reset_mechanism="zero", reset_delay=False, **kw),
    "synaptic late": lambda n, kw: snn.Synaptic(0.6, 0.8, threshold=0.7, reset_mechanism="zero", **kw),
    "synaptic soft": lambda n, kw: snn.Synaptic(0.5, 0.7, threshold=0.8, **kw),
    "lapicque": lambda n, kw: snn.Lapicque(beta=0.8, R=3.0, threshold=0.4, reset_mechanism="zero", **kw),
    "rleaky": lambda n, kw: snn.RLeaky(0.8, linear_features=n, threshold=0.5, **kw),
}
READING = {
    "iterate": lambda x: list(x),
    "index": lambda x: [x[t] for t in range(x.shape[0])],
    "slices": lambda x: [x[t, ...] for t in range(len(x))],
    "unbind": lambda x: torch.unbind(x, 0),
    "split": lambda x: [part.squeeze(0) for part in x.split(1)],
    "chunk": lambda x: [part[0] for part in x.chunk(x.shape[0], dim=0)],
    "permute": lambda x: list(x.permute(1, 0, 2).transpose(0, 1)),
    "batch last": lambda x: [x.permute(0, 2, 1)[t].t() for t in range(x.shape[0])],
    "select": lambda x: [x.select(0, t) for t in range(x.shape[0])],
    "reshape": lambda x: list(x.reshape(-1, x.shape[-1]).view(x.shape[0], x.shape[1], -1)),
}
TRICKS = (
    "threshold", "clamp", "clamp in place", "reset", "decay of weights", "batch mean", "late path", "every second step", "noise",
    "steps counted", "other beta", "reads a number", "sorted samples", "next step", "early stop", "first sample",
)  # fmt: skip


class RandomModule(nn.Module):
    """(steps, batch, INPUTS) -> spikes of the last layer; ``spec`` says everything."""

    def __init__(self, seed, trick):
        super().__init__()
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.trick, self.count = trick, 0
        depth = int(rng.integers(1, 4))
        sizes = [INPUTS, *(int(n) for n in rng.integers(4, 10, depth))]
        kinds = rng.choice(list(NEURONS), depth)
        self.hidden = bool(rng.random() < 0.4)
        order = rng.permutation(depth)  # layers are declared in any order
        for i in order:
            setattr(self, f"fc{i}", nn.Linear(sizes[i], sizes[i + 1], bias=bool(rng.random() < 0.6)))
        for i in range(depth):
            setattr(self, f"n{i}", NEURONS[kinds[i]](sizes[i + 1], {"init_hidden": self.hidden}))
        self.depth, self.reading = depth, READING[rng.choice(list(READING))]
        self.before = bool(rng.random() < 0.3)  # the first layer runs over the whole raster
        self.delay = int(rng.integers(1, 4)) if rng.random() < 0.5 else 0  # of a recurrence by hand
        self.back = nn.Linear(sizes[-1], sizes[1], bias=False)
        self.skip = nn.Linear(INPUTS, sizes[-1], bias=False) if depth > 1 and rng.random() < 0.4 else None
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.mul_(1.5) if parameter.dim() > 1 else parameter

    def forward(self, raster):
        neurons = [getattr(self, f"n{i}") for i in range(self.depth)]
        states = [None if self.hidden else () for _ in neurons]
        for layer in neurons:
            layer.reset_mem()
        if self.trick == "other beta":
            neurons[0].beta = torch.tensor(0.9)
        currents = self.reading(self.fc0(raster)) if self.before else None
        frames, out = self.reading(raster), []
        for t, x in enumerate(frames):
            if self.trick == "early stop" and t >= 25:
                break
            x = self.tricked_input(t, frames)
            for i, layer in enumerate(neurons):
                current = currents[t] if i == 0 and currents is not None else getattr(self, f"fc{i}")(x)
                if i == 0:
                    if self.delay and t >= self.delay:
                        current = current - 0.4 * self.back(out[t - self.delay])
                    current = self.tricked_current(t, current, out)
                if i == self.depth - 1 and self.skip is not None:
                    current = current + self.skip(frames[t])
                x = self.stepped(i, layer, current, states)
            self.tricked_after(t, neurons, x)
            out.append(x)
        return torch.stack(out)

    def stepped(self, i, layer, current, states):
        if self.hidden:
            return layer(current)
        spikes, *rest = layer(current, *states[i])
        states[i] = (spikes, *rest) if hasattr(layer, "recurrent") else rest
        return spikes

    def tricked_input(self, t, frames):
        if self.trick == "every second step" and t % 2:
            return frames[t] * 0.5
        if self.trick == "next step" and t + 1 < len(frames):
            return frames[t + 1]
        if self.trick == "sorted samples":
            return torch.sort(frames[t], dim=0).values
        return frames[t]

    def tricked_current(self, t, current, out):
        if self.trick == "batch mean":
            return current - current.mean(0, keepdim=True)
        if self.trick == "late path" and t >= 30:
            return current + self.back(out[t - 30])
        if self.trick == "noise":
            return current + 0.3 * torch.rand_like(current)
        if self.trick == "reads a number" and float(current.sum()) > 0:
            return current * 0.5
        if self.trick == "first sample":
            return current + 0.3 * current[:1]
        return current

    def tricked_after(self, t, neurons, spikes):
        first = neurons[0]
        if self.trick == "threshold":
            first.threshold = torch.as_tensor(first.threshold + 0.01 * spikes.mean())
        elif self.trick == "clamp":
            first.mem = torch.clamp(first.mem, min=-0.02)
        elif self.trick == "clamp in place":
            first.mem.clamp_(min=-0.02)
        elif self.trick == "reset" and t % 5 == 4:
            first.reset_mem()
        elif self.trick == "decay of weights":
            self.fc0.weight.data.mul_(0.99)
        elif self.trick == "steps counted":
            self.count += 1
            if self.count % 40 == 0:
                first.mem = first.mem * 0


def random_module(seed):
    """(factory, trick or None) of a seed; every second one has a trick."""
    trick = TRICKS[seed // 2 % len(TRICKS)] if seed % 2 else None
    return (lambda: RandomModule(seed, trick)), trick
