"""Networks that snnc trains by their neurons' own steps against the loop that people write with snnTorch: accuracy and time.

Accuracy: a data set, some seeds; the same start, batches, rasters, Adam and loss, so that only the steps and their gradients can
make a difference. In float64 the two trainings have to agree in the loss and accuracy of every epoch. In float32 they round
sums differently, which flips a spike sooner or later, and drift apart: the mean difference is given with its 95 % interval
(Student's t, over pairs of trainings with one seed).

Time: a training step (forward, backward, Adam; rate coding, batch 128) of 784-800-10 and of a recurrent 784-256-10, both in one
process, in turns; the ratio is taken within each round. Before that the gradients are compared.

    python benchmarks/train_network.py [--data digits] [--seeds 3] [--seeds-in-float64 3] [--epochs 8] [--rounds 7]
        [--threads 1] [--json results/train_network.json]
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import snntorch
import torch
from peers import machine
from peers.intervals import interval
from snntorch import surrogate
from torch import Tensor, nn

from snnc import data
from snnc.data.dataset import Dataset
from snnc.network.encoding import Encoding
from snnc.network.model import Network
from snnc.training.loop.fit import fit
from snnc.training.loop.record import Metrics, Record
from snnc.training.models.graph import FloatGraph
from snnc.training.models.untrained import untrained
from snnc.training.settings import TrainConfig

BETA, BATCH, STEPS = 0.875, 128, 16
DIGITS = TrainConfig(hidden=(64,), batch_size=32, lr=0.01, steps=STEPS, beta=BETA, alpha=0.0)
NETWORKS = {
    "lif, compiled": {"neuron": "lif"},
    "lif, step by step": {"neuron": "lif", "kernel": "snntorch"},
    "soft reset": {"neuron": "cuba_subtract"},
    "recurrent lif": {"neuron": "lif", "recurrent": True},
}


class Atan64(torch.autograd.Function):
    """snnTorch's arctangent surrogate, whose spikes have the type of the voltage; its own are always float32."""

    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (distance,) = ctx.saved_tensors
        return 1 / (1 + (torch.pi * distance).pow(2)) * gradient


class Loop(nn.Module):
    """snnTorch's modules in a Python loop, with the weights of a network."""

    def __init__(self, net: Network, spike: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        for c in net.connections:
            self.layers[c.name] = nn.Linear(c.op.n_src, c.op.n_dst, bias=False)
            with torch.no_grad():
                self.layers[c.name].weight.copy_(torch.from_numpy(c.op.synapses.to_dense()))
        reset = "zero" if net.output.neuron and net.output.neuron.rule.reset == "zero" else "subtract"
        settings = {"beta": BETA, "reset_mechanism": reset, "spike_grad": spike}
        self.hidden, self.output = snntorch.Leaky(**settings), snntorch.Leaky(**settings)

    def forward(self, raster: Tensor) -> Tensor:
        """(batch, steps, n) -> (batch, steps, classes) spikes."""
        v1, v2, fired = self.hidden.reset_mem(), self.output.reset_mem(), []
        spikes = raster.new_zeros(len(raster), self.layers["fc1"].out_features)
        for step in range(raster.shape[1]):
            current = self.layers["fc1"](raster[:, step])
            if "again1" in self.layers:
                current = current + self.layers["again1"](spikes)
            spikes, v1 = self.hidden(current, v1)
            out, v2 = self.output(self.layers["fc2"](spikes), v2)
            fired.append(out)
        return torch.stack(fired, 1)


class Wide(nn.Module):
    """A model that computes in float64."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.double()

    def forward(self, raster: Tensor) -> Tensor:
        """Map (batch, steps, n) to (batch, steps, classes)."""
        answer: Tensor = self.model(raster.double())
        return answer


def untrained_network(options: dict[str, Any], seed: int, sizes: tuple[int, int, int]) -> tuple[Network, TrainConfig]:
    """Return the network that both sides start from."""
    torch.manual_seed(seed)
    config = replace(DIGITS, seed=seed, hidden=sizes[1:2], **options)
    return untrained(config, "digits", sizes[0], sizes[2], Encoding("rate", STEPS)), config


def models(options: dict[str, Any], seed: int, sizes: tuple[int, int, int]) -> tuple[FloatGraph, Loop]:
    """Return ours and the loop, from the same weights."""
    net, config = untrained_network(options, seed, sizes)
    return FloatGraph(net, config.kernel), Loop(net, surrogate.atan())


def models_in_float64(options: dict[str, Any], seed: int, sizes: tuple[int, int, int]) -> tuple[Wide, Wide]:
    """Return the same in float64, both step by step."""
    net, _ = untrained_network(options, seed, sizes)
    return Wide(FloatGraph(net, "snntorch", torch.float64)), Wide(Loop(net, Atan64.apply))


def weights_of(model: FloatGraph | Loop) -> dict[str, nn.Parameter]:
    """Return the weights by connection."""
    return model.weights if isinstance(model, FloatGraph) else {name: layer.weight for name, layer in model.layers.items()}


Splits = tuple[Dataset, Dataset]
Make = Callable[[dict[str, Any], int, tuple[int, int, int]], tuple[nn.Module, nn.Module]]


def trained(make: Make, options: dict[str, Any], seed: int, epochs: int, splits: Splits) -> tuple[list[Metrics], list[Metrics]]:
    """Return the metrics of both trainings."""
    pixels = splits[0].images.shape[1]
    config = replace(DIGITS, seed=seed, epochs=epochs, **options)
    ours, theirs = (
        fit(model, splits[0], Encoding("rate", STEPS), config, test=splits[1], record=Record(quiet=True))
        for model in make(options, seed, (pixels, DIGITS.hidden[0], 10))
    )
    return ours, theirs


def accuracies(options: dict[str, Any], epochs: int, seeds: int, splits: Splits) -> dict[str, list[float]]:
    """Return the accuracies on the test samples after training, of each seed."""
    pairs = [trained(models, options, seed, epochs, splits) for seed in range(seeds)]
    return {name: [pair[i][-1]["test_accuracy"] for pair in pairs] for i, name in enumerate(("snnc", "snnTorch"))}


def differ_in_float64(options: dict[str, Any], epochs: int, seeds: int, splits: Splits) -> dict[str, float]:
    """Return the largest differences of loss and test accuracy in any epoch, in float64."""
    largest = {"loss": 0.0, "test_accuracy": 0.0}
    for seed in range(seeds):
        for ours, theirs in zip(*trained(models_in_float64, options, seed, epochs, splits), strict=True):
            largest = {key: max(value, abs(ours[key] - theirs[key])) for key, value in largest.items()}
    return largest


def stepper(model: nn.Module, raster: Tensor, wanted: Tensor) -> Callable[[], None]:
    """Return a function that makes one training step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(raster).sum(1), wanted).backward()
        optimizer.step()

    return step


def batch() -> tuple[Tensor, Tensor]:
    """Return rate-coded images that are dark at four fifths of their pixels."""
    torch.manual_seed(0)
    images = torch.rand(BATCH, 1, 784) * (torch.rand(BATCH, 1, 784) < 0.2)
    return (torch.rand(BATCH, STEPS, 784) < images).float(), torch.randint(0, 10, (BATCH,))


def gradients_differ_by(ours: FloatGraph, theirs: Loop, raster: Tensor, wanted: Tensor) -> float:
    """Return the largest difference of a gradient, in units of that layer's largest."""
    for model in (ours, theirs):
        nn.functional.cross_entropy(model(raster).sum(1), wanted).backward()
    pairs = [(w.grad, weights_of(theirs)[name].grad) for name, w in weights_of(ours).items()]
    assert all(b is not None and b.abs().max() > 0 for _, b in pairs), "the network is silent"
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def times_as_fast(options: dict[str, Any], rounds: int, steps: int) -> dict[str, Any]:
    """Return the milliseconds of a step in each round, and the median of the ratios."""
    raster, wanted = batch()
    pair = models(options, 0, (784, 256 if options.get("recurrent") else 800, 10))
    differ = gradients_differ_by(*pair, raster, wanted)
    if not differ < 1e-3:
        sys.exit(f"the gradients differ by {differ:.1e} of the largest of their layer: nothing was measured")
    spent: dict[str, list[float]] = {"snnc": [], "snnTorch": []}
    stepping = {name: stepper(model, raster, wanted) for name, model in zip(spent, pair, strict=True)}
    for _ in range(rounds):
        for name, step in stepping.items():
            step()
            started = time.perf_counter()
            for _ in range(steps):
                step()
            spent[name].append(1000 * (time.perf_counter() - started) / steps)
    ratio = statistics.median(b / a for a, b in zip(spent["snnc"], spent["snnTorch"], strict=True))
    return {"gradients_differ_by": differ, "ms_a_step": spent, "times_as_fast": ratio}


def compared(options: dict[str, Any], asked: argparse.Namespace, splits: Splits) -> dict[str, Any]:
    """Return all figures of a network."""
    reached = accuracies(options, asked.epochs, asked.seeds, splits)
    mean, half = interval([100 * (a - b) for a, b in zip(reached["snnc"], reached["snnTorch"], strict=True)])
    figures = {"accuracy": reached, "difference_in_points": {"mean": mean, "half_of_95_percent_interval": half}}
    if asked.seeds_in_float64:
        figures["largest_difference_in_float64"] = differ_in_float64(options, asked.epochs, asked.seeds_in_float64, splits)
    return figures | times_as_fast(options, asked.rounds, asked.steps)


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default="digits", choices=("digits", "mnist"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seeds-in-float64", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="training steps in a round")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    splits = data.load(options.data, "train"), data.load(options.data, "test")
    start, networks = machine.described(), {}
    for name, network in NETWORKS.items():
        figures = networks[name] = compared(network, options, splits)
        means = [100 * statistics.mean(values) for values in figures["accuracy"].values()]
        mean, half = figures["difference_in_points"].values()
        within = "" if half is None else f" +- {half:.2f}"
        print(
            f"{name:20} {means[0]:6.2f} %, snnTorch {means[1]:6.2f} %: {mean:+.2f}{within} points; in float64 "
            f"{figures.get('largest_difference_in_float64')}; a step is {figures['times_as_fast']:.2f} times as fast",
            flush=True,
        )
    if not options.json:
        return
    body = {
        "schema": "snnc.benchmark/1",
        "benchmark": "train_network",
        "command": machine.command(["python", "benchmarks/train_network.py", *sys.argv[1:]]),
        "commit": machine.commit(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in ("torch", "snntorch", "numba", "numpy")},
        "machine": start,
        "settings": {key: value for key, value in vars(options).items() if key != "json"} | {"steps": STEPS},
        "networks": networks,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
