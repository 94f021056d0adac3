"""Samples per second of a training step of a convolutional network: snnc against loops that people write with snnTorch.

The network is that of examples/cifar10_strided.toml: five convolutions with batch norm on 32 x 32 pixels, 100 voters, T = 4, the
image as a constant current, batch 64. A step is the forward pass, cross-entropy over the votes, the backward pass and Adam, which
is torch's own for all. The peers have the same layers and the same start:

- snnTorch, stepped: convolution, batch norm and neurons of all layers, one time step after the other, as in its tutorials.
- snnTorch, layer by layer: all steps of a layer are one batch for convolution and batch norm, and Leaky is stepped.
- SpikingJelly, all steps at once, if `make peers` has put it there.

Before that the gradients are compared: in float32 with the running averages of batch norm, which has the statistics of a step in
the stepped loop (all but SpikingJelly), and with those of the batch in float64, where snnc has snnTorch's own neurons (all but
that loop). In float32 the latter are rounded differently, which flips spikes: after five layers one in ten is another.

The contestants alternate, each in a process of its own, on one thread, and only the seconds in which a process computed count.
Training with snnc sets how the C library keeps memory; `--keep` gives that setting to the peers, too.

    python benchmarks/train_conv_step.py [--rounds 5] [--steps 8] [--keep] [--json results/train_conv_step.json]
"""

import argparse
import json
import platform
import runpy
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import snntorch
import torch
from peers import machine
from snntorch import surrogate
from torch import Tensor, nn

from snnc.training.kernels import heap
from snnc.training.models.convnet import ConvNet

EXAMPLE = Path(__file__).parent.parent / "examples" / "cifar10_6conv2fc.py"
BATCH, LR = 64, 2e-3
MOST = {"float32, running averages": 1e-4, "float64, statistics of the batch": 1e-6}  # that gradients may differ by
PACKAGES = ("torch", "snntorch", "numba", "numpy", "spikingjelly")
STEPPED = "snnTorch, stepped"
SPIKINGJELLY = "SpikingJelly, all steps at once"

sys.path.append(str(Path(sys.prefix) / "peers" / "spikingjelly"))  # where `make peers` puts it; behind all else


def ours() -> ConvNet:
    """The network of the example, from a fixed start."""
    torch.manual_seed(0)
    model: ConvNet = runpy.run_path(str(EXAMPLE))["strided"]()
    return model


class Peer(nn.Module):
    """The layers of a network of ours, and neurons of a peer."""

    def __init__(self, model: ConvNet, neurons: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.steps, self.gain, self.voters = model.config.steps, 1 - model.config.beta, model.config.voters
        layers = range(1, model.count + 1)
        self.convolutions = nn.ModuleList(model.get_submodule(f"conv{i}") for i in layers)
        self.norms = nn.ModuleList(model.get_submodule(f"bn{i}") for i in layers)
        self.fc = model.fc2
        self.neurons = nn.ModuleList(neurons() for _ in range(model.count + 1))

    def votes(self, spikes: Tensor) -> Tensor:
        """Return the votes of (steps, batch, voters) spikes, (batch, steps, classes)."""
        return spikes.unflatten(2, (-1, self.voters)).mean(3).transpose(0, 1)


def leaky() -> nn.Module:
    """Return snnTorch's neurons, with the example's constants."""
    neurons: nn.Module = snntorch.Leaky(0.5, spike_grad=surrogate.atan(), reset_mechanism="zero")
    return neurons


class Stepped(Peer):
    """All layers, one time step after the other."""

    def __init__(self, model: ConvNet) -> None:
        super().__init__(model, leaky)

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, 3, 32, 32) to votes."""
        voltages: list[Any] = [neurons.reset_mem() for neurons in self.neurons]
        fired = []
        for _ in range(self.steps):
            x = images
            for i, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
                x, voltages[i] = self.neurons[i](norm(convolution(x)) * self.gain, voltages[i])
            x, voltages[-1] = self.neurons[-1](self.fc(x.flatten(1)) * self.gain, voltages[-1])
            fired.append(x)
        return self.votes(torch.stack(fired))


class LayerByLayer(Peer):
    """All steps of a layer at once, but for its neurons."""

    def __init__(self, model: ConvNet) -> None:
        super().__init__(model, leaky)

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, 3, 32, 32) to votes; the first convolution is computed once."""
        x = images[None]
        for convolution, norm, neurons in zip(self.convolutions, self.norms, self.neurons, strict=False):
            currents = norm(convolution(x.flatten(0, 1))) * self.gain
            x = self._fire(neurons, currents.unflatten(0, x.shape[:2]))
        return self.votes(self._fire(self.neurons[-1], self.fc(x.flatten(2)) * self.gain))

    def _fire(self, neurons: nn.Module, currents: Tensor) -> Tensor:
        voltage, fired = neurons.reset_mem(), []  # type: ignore[operator]
        for t in range(self.steps):
            spikes, voltage = neurons(currents[t % len(currents)], voltage)
            fired.append(spikes)
        return torch.stack(fired).to(currents.dtype)  # which snnTorch's spikes never have in float64


class Jelly(Peer):
    """SpikingJelly's LIFNode over all steps at once."""

    def __init__(self, model: ConvNet) -> None:
        from spikingjelly.activation_based import neuron
        from spikingjelly.activation_based import surrogate as theirs

        settings = {"tau": 2.0, "decay_input": False, "surrogate_function": theirs.ATan(2.0), "detach_reset": True}
        super().__init__(model, lambda: neuron.LIFNode(**settings, v_threshold=1.0, v_reset=0.0, step_mode="m"))

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, 3, 32, 32) to votes; the first convolution is computed once."""
        x = images[None]
        for neurons in self.neurons:
            neurons.reset()  # type: ignore[operator]
        for convolution, norm, neurons in zip(self.convolutions, self.norms, self.neurons, strict=False):
            currents = (norm(convolution(x.flatten(0, 1))) * self.gain).unflatten(0, x.shape[:2])
            x = neurons(currents.expand(self.steps, *currents.shape[1:]).contiguous())
        return self.votes(self.neurons[-1](self.fc(x.flatten(2)) * self.gain))


CONTESTANTS: dict[str, Callable[[ConvNet], nn.Module]] = {
    "snnc": lambda model: model,
    STEPPED: Stepped,
    "snnTorch, layer by layer": LayerByLayer,
    SPIKINGJELLY: Jelly,
}


def batch() -> tuple[Tensor, Tensor]:
    """Return images and classes."""
    torch.manual_seed(1)
    return torch.rand(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))


def loss_of(model: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Return the cross-entropy over the votes."""
    return nn.functional.cross_entropy(model(images).sum(1), classes)


def gradients(model: nn.Module, of: ConvNet) -> dict[str, Tensor]:
    """Return the gradients of all that learns, by the names of our network, whose layers ``model`` has."""
    of.zero_grad()
    images, classes = batch()
    loss_of(model, images.to(next(of.parameters()).dtype), classes).backward()
    return {name: p.grad.clone() for name, p in of.named_parameters() if p.grad is not None}


def gradients_differ_by(name: str, *, training: bool) -> float:
    """Return the largest difference of a gradient of ours from a peer's, in units of that parameter's largest.

    ``training``: in float64, with batch norm's statistics of the batch; else in float32, with running averages of it.
    """
    mine = ours()
    for norm in (m for m in mine.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        mine(batch()[0])
    theirs = CONTESTANTS[name](mine)
    for model in (mine, theirs):
        model.train(training).to(torch.float64 if training else torch.float32)
    expected, reached = gradients(theirs, mine), gradients(mine, mine)
    assert all(g.abs().max() > 0 for g in expected.values()), "the network is silent"
    return max(float((reached[key] - g).abs().max() / g.abs().max()) for key, g in expected.items())


def compared(names: list[str]) -> dict[str, dict[str, float]]:
    """Return by how much the gradients differ, by kind and peer; exit if that is too much."""
    kinds = zip(MOST, (False, True), strict=True)
    differ = {
        kind: {
            name: gradients_differ_by(name, training=training)
            for name in names
            if name != (STEPPED if training else SPIKINGJELLY)
        }
        for kind, training in kinds
    }
    for kind, values in differ.items():
        for name, value in values.items():
            print(f"gradients differ by {value:.1e} of the largest of a layer ({kind}): {name}")
    if not all(max(values.values()) < MOST[kind] for kind, values in differ.items()):
        sys.exit("the gradients do not agree: nothing was measured")
    return differ


def samples_per_second(name: str, steps: int) -> float:
    """Return the samples a second of the processor's time, of ``steps`` training steps after three that warm up."""
    model = CONTESTANTS[name](ours())
    optimizer = torch.optim.Adam(model.parameters(), LR, fused=True)
    images, classes = batch()

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model, images, classes).backward()
        optimizer.step()

    for _ in range(3):
        step()
    started = time.process_time()
    for _ in range(steps):
        step()
    return BATCH * steps / (time.process_time() - started)


def measured(name: str, options: argparse.Namespace) -> float:
    """Return the same, measured by a process of its own."""
    words = ["--contestant", name, "--steps", str(options.steps), *["--keep"] * options.keep]
    done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
    return float(done.stdout)


def multiply_adds() -> int:
    """Return the multiply-adds of a sample's step if all are dense: forward, and the gradients of weights and of all spikes."""
    model, counts = ours(), []

    def note(layer: Any, _: Any, out: Tensor) -> None:
        counts.append(layer.weight[0].numel() * out.numel())

    for layer in (*(model.get_submodule(f"conv{i}") for i in range(1, model.count + 1)), model.fc2):
        layer.register_forward_hook(note)
    with torch.no_grad():
        model.eval()(torch.rand(1, 3, 32, 32))
    return int(2 * counts[0] + 3 * sum(counts[1:]))


def main() -> None:
    """Compare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="training steps in a round")
    parser.add_argument("--keep", action="store_true", help="the peers keep the memory of a step for the next, too")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--contestant", choices=CONTESTANTS, help="measure this one, once")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.contestant == "snnc" or options.keep:
        heap.keep()
    if options.contestant:
        print(samples_per_second(options.contestant, options.steps))
        return
    names = [name for name in CONTESTANTS if find_spec("spikingjelly") or name != SPIKINGJELLY]
    if len(names) < len(CONTESTANTS):
        print("SpikingJelly is not installed (make peers): left out")
    differ = compared(names[1:])
    start = machine.described()
    rounds: dict[str, list[float]] = {name: [] for name in names}
    peaks = []
    for _ in range(options.rounds):
        peaks.append(machine.products_per_s(time.process_time))
        for name in names:
            rounds[name].append(measured(name, options))
    report(rounds, max(peaks), differ, options, start)


def report(
    rounds: dict[str, list[float]],
    products: float,
    differ: dict[str, dict[str, float]],
    options: argparse.Namespace,
    start: dict[str, object],
) -> None:
    """Print medians over the rounds, and the medians of the ratios within a round; write them."""
    limit = products / (2 * multiply_adds())
    rates = {name: statistics.median(values) for name, values in rounds.items()}
    peers = [name for name in rounds if name != "snnc"]
    ratios = {p: statistics.median(a / b for a, b in zip(rounds["snnc"], rounds[p], strict=True)) for p in peers}
    print(f"dense products at {products / 1e9:.1f} GFLOP/s would be {limit:,.0f} samples/s")
    for name, rate in rates.items():
        line = f"{name:32} {rate:8,.0f} samples/s, {rate / limit:4.0%} of that"
        print(line + (f"   snnc is {ratios[name]:.2f} times as fast" if name in ratios else ""))
    if not options.json:
        return
    body = {
        "schema": "snnc.benchmark/1",
        "benchmark": "train_conv_step",
        "command": machine.command(["python", "benchmarks/train_conv_step.py", *sys.argv[1:]]),
        "commit": machine.commit(),
        "versions": {"python": platform.python_version()} | {p: version(p) for p in PACKAGES if find_spec(p)},
        "machine": start,
        "settings": {"batch": BATCH, "rounds": options.rounds, "steps": options.steps, "keep": options.keep},
        "gradients_differ_by": differ,
        "samples_per_cpu_second": {name: {"median": rates[name], "rounds": rounds[name]} for name in rounds},
        "limit": {"products_per_s": products, "multiply_adds_a_sample": multiply_adds(), "samples_per_second": limit},
        "times_as_fast": ratios,
    }
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
