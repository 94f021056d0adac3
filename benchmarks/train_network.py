"""Networks that snnc trains by their neurons' own steps against the loop that people write with snnTorch: accuracy and time.

Accuracy: digits, some seeds; the same start, batches, rasters, Adam and loss, so that only the steps and their gradients can
make a difference. Time: a training step (forward, backward, Adam; rate coding, batch 128) of 784-800-10 and of a recurrent
784-256-10, both in one process, in turns; the ratio is taken within each round. Before that the gradients are compared.

    python benchmarks/train_network.py [--threads 1] [--epochs 8] [--seeds 3] [--rounds 7] [--json results/train_network.json]
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
from snntorch import surrogate
from torch import Tensor, nn

from snnc import data
from snnc.network.encoding import Encoding
from snnc.network.model import Network
from snnc.training.loop.fit import fit
from snnc.training.loop.record import Record
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


class Loop(nn.Module):
    """snnTorch's modules in a Python loop, with the weights of a network."""

    def __init__(self, net: Network) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        for c in net.connections:
            self.layers[c.name] = nn.Linear(c.op.n_src, c.op.n_dst, bias=False)
            with torch.no_grad():
                self.layers[c.name].weight.copy_(torch.from_numpy(c.op.synapses.to_dense()))
        reset = "zero" if net.output.neuron and net.output.neuron.rule.reset == "zero" else "subtract"
        settings = {"beta": BETA, "reset_mechanism": reset, "spike_grad": surrogate.atan()}
        self.hidden, self.output = snntorch.Leaky(**settings), snntorch.Leaky(**settings)

    def forward(self, raster: Tensor) -> Tensor:
        """(batch, steps, n) -> (batch, steps, classes) spikes."""
        v1, v2, fired = self.hidden.reset_mem(), self.output.reset_mem(), []
        spikes = torch.zeros(len(raster), self.layers["fc1"].out_features)
        for step in range(raster.shape[1]):
            current = self.layers["fc1"](raster[:, step])
            if "again1" in self.layers:
                current = current + self.layers["again1"](spikes)
            spikes, v1 = self.hidden(current, v1)
            out, v2 = self.output(self.layers["fc2"](spikes), v2)
            fired.append(out)
        return torch.stack(fired, 1)


def models(options: dict[str, Any], seed: int, sizes: tuple[int, int, int] = (64, 64, 10)) -> tuple[FloatGraph, Loop]:
    """Ours and the loop, from the same weights."""
    torch.manual_seed(seed)
    config = replace(DIGITS, seed=seed, hidden=sizes[1:2], **options)
    net = untrained(config, "digits", sizes[0], sizes[2], Encoding("rate", STEPS))
    return FloatGraph(net, config.kernel), Loop(net)


def weights_of(model: FloatGraph | Loop) -> dict[str, nn.Parameter]:
    """By connection."""
    return model.weights if isinstance(model, FloatGraph) else {name: layer.weight for name, layer in model.layers.items()}


def accuracies(options: dict[str, Any], epochs: int, seeds: int) -> dict[str, list[float]]:
    """On the test samples after training, of each seed."""
    images, test = (data.load("digits", split) for split in ("train", "test"))
    reached: dict[str, list[float]] = {"snnc": [], "snnTorch": []}
    for seed in range(seeds):
        config = replace(DIGITS, seed=seed, epochs=epochs, **options)
        for name, model in zip(reached, models(options, seed), strict=True):
            metrics = fit(model, images, Encoding("rate", STEPS), config, test=test, record=Record(quiet=True))
            reached[name].append(metrics[-1]["test_accuracy"])
    return reached


def stepper(model: nn.Module, raster: Tensor, wanted: Tensor) -> Callable[[], None]:
    """One training step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(raster).sum(1), wanted).backward()
        optimizer.step()

    return step


def batch() -> tuple[Tensor, Tensor]:
    """Rate-coded images that are dark at four fifths of their pixels."""
    torch.manual_seed(0)
    images = torch.rand(BATCH, 1, 784) * (torch.rand(BATCH, 1, 784) < 0.2)
    return (torch.rand(BATCH, STEPS, 784) < images).float(), torch.randint(0, 10, (BATCH,))


def gradients_differ_by(ours: FloatGraph, theirs: Loop, raster: Tensor, wanted: Tensor) -> float:
    """The largest difference of a gradient, in units of that layer's largest."""
    for model in (ours, theirs):
        nn.functional.cross_entropy(model(raster).sum(1), wanted).backward()
    pairs = [(w.grad, weights_of(theirs)[name].grad) for name, w in weights_of(ours).items()]
    assert all(b is not None and b.abs().max() > 0 for _, b in pairs), "the network is silent"
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def times_as_fast(options: dict[str, Any], rounds: int, steps: int) -> dict[str, Any]:
    """Milliseconds of a step in each round, and the median of the ratios."""
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


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=10, help="training steps in a round")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    start, found = machine.described(), {}
    for name, network in NETWORKS.items():
        reached = accuracies(network, options.epochs, options.seeds)
        found[name] = {"accuracy": reached, **times_as_fast(network, options.rounds, options.steps)}
        means = [100 * statistics.mean(values) for values in reached.values()]
        print(
            f"{name:20} {means[0]:6.2f} %, snnTorch {means[1]:6.2f} %; a step is {found[name]['times_as_fast']:.2f} times as fast"
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
        "settings": {
            "epochs": options.epochs,
            "seeds": options.seeds,
            "threads": options.threads,
            "rounds": options.rounds,
            "steps": STEPS,
        },
        "networks": found,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
