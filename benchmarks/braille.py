"""Braille letters by a recurrent network, dense and pruned: accuracy in floats and in integers, and equality, over seeds.

Each seed trains the network of examples/braille.toml, trains it on to each connectivity (1: without pruning), quantises, counts
the test samples that are classified rightly. The trained network and the one at 5 % are exported to Lava, C and ONNX; their
runs are compared with the engine's, spike for spike. The file is written after every network, and what is in it already is
not computed again.

    python benchmarks/braille.py [--seeds 5] [--connectivities 0.05 1 0.2 0.1 0.02] [--samples 10] [--json results/braille.json]
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from peers import machine

import snnc
from snnc.pipeline.chain import Chain, read_chain
from snnc.training.loop.source import source

EXAMPLE = Path(__file__).parent.parent / "examples" / "braille.toml"
TARGETS = ("lava", "c", "onnx")
COMPARED = (None, 0.05)  # connectivities whose exports are run


def figures(net: snnc.Network, chip: str, connectivity: float | None, samples: int) -> dict[str, Any]:
    """Accuracy on all test samples, in floats and in integers, and what each target's run came to."""
    fixed = snnc.quantise(net, chip)
    runs = {target: compared(fixed, target, samples) for target in TARGETS} if connectivity in COMPARED else {}
    return {
        "float": snnc.evaluate(net, "braille").accuracy,
        "fixed": snnc.evaluate(fixed, "braille").accuracy,
        "spikes_per_sample": sum(snnc.evaluate(fixed, "braille", samples=50).spikes.values()) / 50,
        "reached": net.done[-1].settings["reached"],
        "network": fixed.hash,
        "targets": runs,
    }


def compared(fixed: snnc.Network, target: str, samples: int) -> dict[str, Any]:
    """The verdict of a target's run on the first test samples."""
    with tempfile.TemporaryDirectory() as folder:
        artifact = snnc.export(fixed, target, f"{folder}/artifact")
        verification = snnc.verify(artifact, fixed, data="braille", samples=samples)
    verdict = verification.verdict
    return {
        "exact": verification.exact, "samples": verification.samples, "mismatches": verdict.mismatches,
        "spikes": {name: count for name, (count, _) in verdict.spikes.items()},
    }  # fmt: skip


def pruned(chain: Chain, trained: snnc.Network, seed: int, connectivity: float | None) -> snnc.Network:
    """The network, trained further to a connectivity; at 1 without pruning. None: as it is."""
    if connectivity is None or chain.prune is None:
        return trained
    method = "none" if connectivity == 1 else "grad_r"
    return snnc.prune(trained, "braille", config=replace(chain.prune, seed=seed, connectivity=connectivity, method=method))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--connectivities", type=float, nargs="+", default=[0.05, 1, 0.2, 0.1, 0.02])
    parser.add_argument("--samples", type=int, default=10, help="test samples on which exports are compared")
    parser.add_argument("--json", type=Path, default=Path("results/braille.json"))
    given = parser.parse_args()
    chain = read_chain(EXAMPLE)
    body = json.loads(given.json.read_text()) if given.json.exists() else {"networks": {}}
    command = machine.command(["python", "benchmarks/braille.py", *sys.argv[1:]])
    body |= {"command": command, "example": EXAMPLE.read_text(), "machine": machine.described(), "source": source()}
    started, trained = time.perf_counter(), dict[int, snnc.Network]()
    for connectivity in (None, *given.connectivities):  # all seeds of one before the next
        for seed in range(given.seeds):
            name = f"{seed}/{connectivity or 'trained'}"
            if name in body["networks"]:
                continue
            if seed not in trained:
                trained[seed] = snnc.train("braille", config=replace(chain.train, seed=seed))
            row = figures(pruned(chain, trained[seed], seed, connectivity), chain.goal.hw, connectivity, given.samples)
            body["networks"][name] = row
            given.json.write_text(json.dumps(body, indent=1) + "\n")
            exact = {target: run["exact"] for target, run in row["targets"].items()}
            took = f"{time.perf_counter() - started:.0f} s"
            print(f"{name}: {row['float']:.2%} float, {row['fixed']:.2%} fixed, {exact}, {took}", flush=True)


if __name__ == "__main__":
    main()
