"""Samples per second of one training step of Grad R on 784-800-10: snnc against the loop that people write with snnTorch.

A step is the forward pass over T = 8 steps of a constant input, the backward pass, and the update of Adam with Grad R's prior;
batch 128, no augmentation. The peer steps snnTorch's Leaky T times and writes Adam and the prior in plain torch operations,
with the first layer computed in every step (as in snnTorch's tutorials), or once before the loop. SpikingJelly's LIFNode, if
`make peers` has put it there, fires step by step as in the code of Grad R's authors, whose optimizer is the same plain Adam
with the prior, or over all steps at once. They alternate, each in a process of its own, as its user would run it: training
with snnc sets how the C library keeps memory, a plain loop does not. `--keep` gives that setting to the peers, too. On a
machine that other jobs share, `--cpu-seconds --threads 1` counts only the seconds in which a process computed. Before that
the gradients are compared.

Beside each figure is the limit of this machine: the dense products that its step needs at the highest rate that a product
reached here, plus the bytes of the update at the highest rate of a copy of as many bytes, both measured in every round. All
products count as dense, and nothing else does: neurons, loss and surrogate cost nothing.

    python benchmarks/train_step.py [--threads 2] [--rounds 7] [--keep] [--cpu-seconds] [--json results/train_step.json]
"""

import argparse
import json
import math
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import snntorch
import torch
from peers import machine
from snntorch import surrogate
from torch import Tensor, nn

from snnc.training.kernels import heap
from snnc.training.methods.grad_r import GradR
from snnc.training.models.feedforward import build

SIZES, STEPS, BATCH = (784, 800, 10), 8, 128
BETA, LR, ALPHA, CONNECTIVITY = 0.5, 1e-3, 1e-3, 0.05
PACKAGES = ("torch", "snntorch", "numba", "numpy", "spikingjelly")
MU = -2303.0  # ln(2 - 2 * 0.95) / 1e-3: the centre of the published prior

sys.path.append(str(Path(sys.prefix) / "peers" / "spikingjelly"))  # where `make peers` puts it; behind all else


class Naive(nn.Module):
    """snnTorch's modules in a Python loop."""

    def __init__(self, first_once: bool) -> None:
        super().__init__()
        self.first_once = first_once
        self.fc1, self.fc2 = nn.Linear(784, 800, bias=False), nn.Linear(800, 10, bias=False)
        settings = {"beta": BETA, "reset_mechanism": "zero", "spike_grad": surrogate.atan()}
        self.hidden1, self.output = snntorch.Leaky(**settings), snntorch.Leaky(**settings)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n) -> (steps, batch, classes) spikes."""
        v1, v2 = self.hidden1.reset_mem(), self.output.reset_mem()
        current = self.fc1(x) if self.first_once else None
        fired = []
        for _ in range(STEPS):
            spikes, v1 = self.hidden1(self.fc1(x) if current is None else current, v1)
            spikes, v2 = self.output(self.fc2(spikes), v2)
            fired.append(spikes)
        return torch.stack(fired)


class Jelly(nn.Module):
    """SpikingJelly's LIFNode with the same update, u = BETA * v + current, over all steps at once or stepped."""

    def __init__(self, at_once: bool) -> None:
        super().__init__()
        from spikingjelly.activation_based import neuron
        from spikingjelly.activation_based import surrogate as theirs

        self.at_once = at_once
        self.fc1, self.fc2 = nn.Linear(784, 800, bias=False), nn.Linear(800, 10, bias=False)
        settings = {"tau": 1 / (1 - BETA), "decay_input": False, "surrogate_function": theirs.ATan(2.0), "detach_reset": True}
        settings |= {"v_threshold": 1.0, "v_reset": 0.0, "step_mode": "m" if at_once else "s"}
        self.hidden1, self.output = neuron.LIFNode(**settings), neuron.LIFNode(**settings)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, n) -> (steps, batch, classes) spikes; the first layer is computed once."""
        self.hidden1.reset()
        self.output.reset()
        current = self.fc1(x)
        if self.at_once:
            return self.output(self.fc2(self.hidden1(current.expand(STEPS, -1, -1).contiguous())))
        return torch.stack([self.output(self.fc2(self.hidden1(current))) for _ in range(STEPS)])


class NaiveGradR(torch.optim.Optimizer):
    """Adam with Grad R's rule and prior, an operation of torch at a time."""

    def __init__(self, params: list[nn.Parameter]) -> None:
        super().__init__(params, {"lr": LR})
        for p in params:
            w = p.detach()
            self.state[p] = {"theta": w.abs(), "sign": w.sign(), "m": torch.zeros_like(w), "q": torch.zeros_like(w)}
        self.count = 0

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        self.count += 1
        for p, s in self.state.items():
            s["m"].mul_(0.9).add_(p.grad, alpha=0.1)
            s["q"].mul_(0.999).addcmul_(p.grad, p.grad, value=0.001)
            norm = (s["q"].sqrt() / math.sqrt(1 - 0.999**self.count)).add_(1e-8)
            s["theta"].addcdiv_(s["sign"] * s["m"], norm, value=-LR / (1 - 0.9**self.count))
            s["theta"].sub_(torch.sign(s["theta"] - MU), alpha=LR * ALPHA)
            p.copy_(s["sign"] * torch.relu(s["theta"]))


def ours(x: Tensor, target: Tensor) -> tuple[nn.Module, Callable[[], None]]:
    """Model and training step of snnc."""
    model = build(SIZES, beta=BETA)
    weights = [linear.weight for linear in model.linears.values()]
    optimizer = GradR([{"params": weights, "prune": True}], connectivity=CONNECTIVITY, steps=10_000, lr=LR)
    constant = x[:, None].expand(-1, STEPS, -1)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(constant).mean(1), target).backward()
        optimizer.step()

    return model, step


def naive(x: Tensor, target: Tensor, made: Callable[[], nn.Module]) -> tuple[nn.Module, Callable[[], None]]:
    """Model and training step that the peer's user writes."""
    model = made()
    optimizer = NaiveGradR(list(model.parameters()))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x).mean(0), target).backward()
        optimizer.step()

    return model, step


def gradients_differ_by(x: Tensor, target: Tensor, made: Callable[[], nn.Module]) -> float:
    """The largest difference of a gradient of ours from the peer's, in units of that layer's largest gradient."""
    (mine, _), (theirs, _) = ours(x, target), naive(x, target, made)
    for name, weight in theirs.named_parameters():
        weight.data.copy_(mine.get_parameter(name))
    nn.functional.mse_loss(mine(x[:, None].expand(-1, STEPS, -1)).mean(1), target).backward()
    nn.functional.mse_loss(theirs(x).mean(0), target).backward()
    pairs = [(mine.get_parameter(k).grad, p.grad) for k, p in theirs.named_parameters()]
    assert all(b.abs().max() > 0 for _, b in pairs), "the network is silent"
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


PEERS = {
    "snnTorch, first layer in every step": partial(Naive, first_once=False),
    "snnTorch, first layer once": partial(Naive, first_once=True),
    "SpikingJelly, stepped": partial(Jelly, at_once=False),
    "SpikingJelly, all steps at once": partial(Jelly, at_once=True),
}
CONTESTANTS = {"snnc": ours} | {name: partial(naive, made=made) for name, made in PEERS.items()}


def operations(name: str) -> int:
    """Return the floating-point operations of a step's dense products: forward, gradients of weights and of hidden spikes."""
    first, second = (2 * BATCH * a * b for a, b in pairwise(SIZES))
    return 2 * first * (STEPS if name == "snnTorch, first layer in every step" else 1) + 3 * second * STEPS


def update_bytes() -> int:
    """Return the bytes that an update of Adam with Grad R's prior reads and writes at least, in float32: it reads gradient, both
    moments, theta and sign, and writes the moments, theta and the weight."""
    return 9 * 4 * sum(a * b for a, b in pairwise(SIZES))


def batch() -> tuple[Tensor, Tensor]:
    """Images that are dark at four fifths of their pixels, and the firing rates that are wanted."""
    torch.manual_seed(0)
    x = torch.rand(BATCH, 784) * (torch.rand(BATCH, 784) < 0.2) * 4
    return x, nn.functional.one_hot(torch.randint(0, 10, (BATCH,)), 10).float()


def samples_per_second(step: Callable[[], None], steps: int, clock: Callable[[], float]) -> float:
    """Of ``steps`` training steps after five that warm up."""
    for _ in range(5):
        step()
    started = clock()
    for _ in range(steps):
        step()
    return BATCH * steps / (clock() - started)


def measured(name: str, options: argparse.Namespace) -> float:
    """The same, by a process of its own."""
    words = ["--contestant", name, "--threads", str(options.threads), "--steps", str(options.steps), *["--keep"] * options.keep]
    words += ["--cpu-seconds"] * options.cpu_seconds
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100, help="training steps in a round")
    parser.add_argument("--keep", action="store_true", help="the peers keep the memory of a step for the next, too")
    parser.add_argument("--cpu-seconds", action="store_true", help="count the process's own seconds; with --threads 1")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--contestant", choices=CONTESTANTS, help="measure this one, once")
    options = parser.parse_args()
    if options.cpu_seconds and options.threads > 1:
        parser.error("--cpu-seconds adds up the seconds of all threads; use --threads 1")
    clock = time.process_time if options.cpu_seconds else time.perf_counter
    torch.set_num_threads(options.threads)
    if options.contestant == "snnc" or options.keep:
        heap.keep()
    if options.contestant:
        print(samples_per_second(CONTESTANTS[options.contestant](*batch())[1], options.steps, clock))
        return
    names = [name for name in CONTESTANTS if find_spec("spikingjelly") or "SpikingJelly" not in name]
    if len(names) < len(CONTESTANTS):
        print("SpikingJelly is not installed (make peers): left out")
    differ = max(gradients_differ_by(*batch(), PEERS[name]) for name in names[1:])
    print(f"gradients differ by {differ:.1e} of the largest of their layer")
    if not differ < 1e-4:
        sys.exit("the gradients do not agree: nothing was measured")
    start = machine.described()
    rounds: dict[str, list[float]] = {name: [] for name in names}
    peaks: list[tuple[float, float]] = []
    for _ in range(options.rounds):
        peaks.append((machine.products_per_s(clock), machine.copied_per_s(update_bytes(), clock)))
        for name in names:
            rounds[name].append(measured(name, options))
    report(rounds, peaks, differ, options, start)


def report(
    rounds: dict[str, list[float]], peaks: list[tuple[float, float]], differ: float, options: argparse.Namespace,
    start: dict[str, object],
) -> None:  # fmt: skip
    """Medians over the rounds, the medians of the ratios within a round, and the limits of the machine."""
    products, copied = (max(of_kind) for of_kind in zip(*peaks, strict=True))
    limits = {name: BATCH / (operations(name) / products + update_bytes() / copied) for name in rounds}
    peers = [name for name in rounds if name != "snnc"]
    rates = {name: statistics.median(values) for name, values in rounds.items()}
    ratios = {p: statistics.median(a / b for a, b in zip(rounds["snnc"], rounds[p], strict=True)) for p in peers}
    print(f"dense products: {products / 1e9:.1f} GFLOP/s; copies: {copied / 1e9:.1f} GB/s")
    for name, rate in rates.items():
        line = f"{name:38} {rate:10,.0f} samples/s, {rate / limits[name]:4.0%} of {limits[name]:,.0f}"
        print(line + (f"   snnc is {ratios[name]:.2f} times as fast" if name in ratios else ""))
    if not options.json:
        return
    body = {
        "schema": "snnc.benchmark/1",
        "benchmark": "train_step",
        "command": machine.command(["python", "benchmarks/train_step.py", *sys.argv[1:]]),
        "commit": machine.commit(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES if find_spec(p)},
        "machine": start,
        "settings": {
            "sizes": SIZES,
            "steps": STEPS,
            "batch": BATCH,
            "threads": options.threads,
            "rounds": options.rounds,
            "keep": options.keep,
            "cpu_seconds": options.cpu_seconds,
        },
        "gradients_differ_by": differ,
        "samples_per_second": {name: {"median": rates[name], "rounds": rounds[name]} for name in rounds},
        "limits": {
            "products_per_s": products,
            "copied_bytes_per_s": copied,
            "update_bytes": update_bytes(),
            "product_operations": {name: operations(name) for name in rounds},
            "samples_per_second": limits,
        },
        "times_as_fast": ratios,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
