"""The publication's CIFAR-10 network at full size, pruned to 1 % at random, from quantising to the exported program.

6Conv2FC of Chen et al., IJCAI 2021: 36.7 million weights, 1,614.7 million synapses when unrolled. Random weights and batch norms;
each stage is timed, the peak of memory is the whole process's. Beside it a narrow network of the same kind, whose shared weights
must fire exactly the spikes of its unrolled synapses, in the reference simulator and in both kernels of the engine.

    python benchmarks/full_size.py [--connectivity 0.01] [--hw kapoho_point] [--json results/full_size.json]
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers import machine
from peers.case import peak_bytes
from torch import nn

from snnc import chips, store, targets
from snnc.budget.check import check
from snnc.mapping.place import place
from snnc.mapping.split import split
from snnc.network.encoding import encode
from snnc.network.model import Network
from snnc.ops.dense import Dense
from snnc.passes.quantise import quantise
from snnc.simulation import engine
from snnc.simulation.reference import simulate
from snnc.training.models.convnet import ConvNet, ConvNetConfig, to_network
from snnc.verification.compare import compare

SECONDS: dict[str, float] = {}


def timed(name: str, stage: Callable[[], Any]) -> Any:
    """The result of a stage; how long it took is kept under its name."""
    started = time.perf_counter()
    result = stage()
    SECONDS[name] = round(time.perf_counter() - started, 2)
    print(f"{name}: {SECONDS[name]} s, peak {peak_megabytes()} MB", file=sys.stderr)
    return result


def peak_megabytes() -> int:
    """Of this process, from its start on."""
    return peak_bytes() >> 20


@torch.no_grad()
def random_network(config: ConvNetConfig, connectivity: float, seed: int, vote: bool) -> Network:
    """A network whose random weights are as large as their number, so that its neurons fire."""
    torch.manual_seed(seed)
    model = ConvNet(config).eval()
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            kept = torch.rand_like(layer.weight) < connectivity
            fan_in = max(1.0, float(kept[0].numel()) * connectivity)
            layer.weight.normal_(0.3 / fan_in**0.5, 1.5 / fan_in**0.5).mul_(kept)
        if isinstance(layer, nn.BatchNorm2d):
            layer.bias.uniform_(0.2, 0.8)
    return to_network(model, "6conv2fc", vote=vote)


def full(connectivity: float, profile: str, seed: int) -> dict[str, Any]:
    """Every stage on the full network; what it needs and what comes out."""
    chip = chips.load(profile)
    net = timed("build", lambda: random_network(ConvNetConfig(), connectivity, seed, vote=False))
    fixed = timed("quantise", lambda: quantise(net, chip))
    data = timed("write", lambda: store.dumps(fixed))
    budget = timed("check", lambda: check(fixed, chip))
    mapping = timed("map", lambda: place(fixed, split(fixed, chip), chip))
    with tempfile.TemporaryDirectory() as folder:
        artifact = timed("export", lambda: targets.export("loihi", fixed, mapping, Path(folder) / "artifact"))
        exported = sum((artifact.root / name).stat().st_size for name in artifact.files)
    ops = [c.op for c in fixed.connections]
    trained = [op for op in ops if op.kind != "sumpool2d"]
    return {
        "profile": profile, "fits": budget.fits, "cores": len(mapping.cores), "of_cores": chip.cores,
        "neurons": sum(p.size for p in fixed.populations if p.neuron),
        "weights": sum(op.parameters for op in trained), "weights_that_exist": sum(op.synapses.count for op in trained),
        "synapses": sum(op.possible_synapses for op in trained), "synapses_that_exist": sum(op.synapse_count for op in trained),
        "file_bytes": len(data), "exported_bytes": exported, "network_hash": fixed.hash,
    }  # fmt: skip


def narrow(profile: str, seed: int) -> dict[str, Any]:
    """One sample of a narrow network: the reference against its unrolled synapses and the engine, every spike and state."""
    config = ConvNetConfig(width=12, hidden=64, voters=2)
    fixed = quantise(random_network(config, 0.2, seed, vote=True), chips.load(profile))
    connections = tuple(replace(c, op=Dense(c.op.unrolled(), c.op.exponent, c.op.sign_mode)) for c in fixed.connections)
    images = np.random.default_rng(seed).integers(0, 256, (1, 3 * 32 * 32), np.uint8)
    inputs = {"input": encode(fixed.encoding, images)}  # type: ignore[arg-type]
    reference = timed("simulate narrow, shared", lambda: simulate(fixed, inputs, record=True))
    others = {"unrolled": lambda: simulate(replace(fixed, connections=connections), inputs, record=True)}
    for kernel in ("lanes", "events"):
        others[f"engine, {kernel}"] = partial(engine.simulate, fixed, inputs, record=True, kernel=kernel)
    verdicts = {name: compare(reference, timed(f"simulate narrow, {name}", run)) for name, run in others.items()}
    rates = {name: round(float(raster.mean()), 4) for name, raster in reference.spikes.items() if name not in ("input", "vote")}
    return {
        "exact": {name: verdict.exact for name, verdict in verdicts.items()},
        "slots_compared": {name: sum(n for n, _ in [*v.spikes.values(), *v.states.values()]) for name, v in verdicts.items()},
        "rates": rates, "neurons": sum(p.size for p in fixed.populations if p.neuron),
    }  # fmt: skip


def arguments(about: str | None) -> argparse.Namespace:
    """What benchmarks of the full-size network are asked: its connectivity and seed, the chip, where the result goes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connectivity", type=float, default=0.01)
    parser.add_argument("--hw", default="kapoho_point")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    """Print one JSON object, and write it if asked to. Exit code 1 if a spike differs or a layer is silent."""
    args = arguments(__doc__)
    found = {
        "schema": "snnc.full-size/1", "command": machine.command(["python", "benchmarks/full_size.py", *sys.argv[1:]]),
        "connectivity": args.connectivity, "seed": args.seed,
        "full": full(args.connectivity, args.hw, args.seed), "peak_megabytes": peak_megabytes(),
        "narrow": narrow(args.hw, args.seed), "seconds": SECONDS,
        "seconds_quantise_to_export": round(sum(SECONDS[s] for s in ("quantise", "write", "check", "map", "export")), 2),
        "machine": machine.described(), "commit": machine.commit(), "torch": torch.__version__,
    }  # fmt: skip
    text = json.dumps(found, indent=1)
    print(text)
    if args.json:
        args.json.write_text(text + "\n")
    return 0 if all(found["narrow"]["exact"].values()) and min(found["narrow"]["rates"].values()) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
