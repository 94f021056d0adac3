"""Random legal networks on chips with open RTL, spike for spike and state for state: Catalyst N1 and SYNtzulu.

    SNNC_CATALYST_N1_RTL=DIR SNNC_SYNTZULU_RTL=DIR python benchmarks/open_chips.py [--target NAME] [--neuron-steps 10000000]
        [--seed 0] [--kept FILE] [--json results/open_chips.json]

Thresholds, decays, biases and weights are drawn over all that the chip's registers hold; what its target refuses, as a current
could wrap, is drawn again. --kept: where every network that was run is noted, to go on from there. The exit code is 1 if anything
differs.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import machine

from snnc import chips, neurons, targets
from snnc.errors import DoesNotFitError, UnsupportedError
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.ops.dense import Dense
from snnc.simulation.reference import simulate
from snnc.verification.compare import compare

SIZES = {  # of the populations, part of the synapses that exist, samples, steps
    "catalyst_n1": [((48, 900), 0.08, 1, 320), ((30, 30, 400), 0.12, 2, 200)],
    "syntzulu": [((60, 128, 100, 50), 0.3, 16, 160), ((250, 120, 60), 0.3, 16, 160), ((100, 64, 30, 60, 20), 0.4, 16, 160)],
}
TRIES = 200


def draw(target: str, sizes: tuple[int, ...], density: float, rng: np.random.Generator) -> Network:
    """Return a random network for a target, whether or not it can be exported."""
    numeric = chips.load(target).fixed()
    populations, connections = [Population("input", (sizes[0],), None)], []
    exponent = int(rng.integers(0, 4)) if target == "catalyst_n1" else -1
    for i, n in enumerate(sizes[1:], 1):
        readout = target == "syntzulu" and i == 4
        neuron = catalyst(n, rng) if target == "catalyst_n1" else lif(rng, readout)
        populations.append(Population(f"p{i}", (n,), neuron))
        weight = 2 * rng.integers(-128, 128, (n, sizes[i - 1])) // int(rng.choice([1, 2, 8])) // 2 * 2
        mask = rng.random(weight.shape) < density
        op = Dense(Synapses.from_dense(weight.astype(np.int64), mask), exponent, "mixed")
        connections.append(Connection(f"c{i}", populations[-2].name, f"p{i}", op))
    return Network("random", tuple(populations), tuple(connections), 1e-3, numeric)


def catalyst(n: int, rng: np.random.Generator) -> Any:
    """Return neurons of Catalyst N1, each with parameters of its own."""
    decay_u, decay_v = (np.maximum(up_to(4095, n, rng), low) for low in (np.int64(16), np.int64(0)))
    mantissa, exponent = up_to(4095, n, rng) * rng.choice([-1, 0, 1], n), rng.integers(0, 8, n) // 2
    return neurons.get("catalyst")(threshold=up_to(32767, n, rng), decay_u=decay_u, decay_v=decay_v, bias=mantissa << exponent)  # type: ignore[call-arg]


def lif(rng: np.random.Generator, readout: bool) -> Any:
    """Return neurons of a layer of SYNtzulu, which share their parameters."""
    decay_v, none = np.maximum(up_to(4095, 1, rng)[0], 8), np.int64(0)
    if readout:
        return neurons.get("li")(decay_u=np.int64(4096), decay_v=decay_v, bias=none)  # type: ignore[call-arg]
    return neurons.get("lif")(threshold=up_to(2000, 1, rng)[0], decay_v=decay_v, bias=none)  # type: ignore[call-arg]


def up_to(most: int, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return numbers 0 .. most, of each size as many as of the others, and some at both ends."""
    drawn = np.floor(np.exp(rng.uniform(0, np.log(most + 1), n))).astype(np.int64)
    ends = np.where(rng.random(n) < 0.5, 0, most)
    return np.where(rng.random(n) < 0.05, ends, np.minimum(drawn, most))


def legal(target: str, rng: np.random.Generator, folder: Path) -> tuple[Network, Any, int, int, int]:
    """Return (network, artifact, samples, steps, how many were refused before)."""
    sizes, density, samples, steps = SIZES[target][int(rng.integers(len(SIZES[target])))]
    for refused in range(TRIES):
        net = draw(target, sizes, density, rng)
        try:
            return net, targets.export(target, net, None, folder, force=True), samples, steps, refused
        except (UnsupportedError, DoesNotFitError):
            continue
    raise SystemExit(f"no network of {sizes} was legal in {TRIES} tries")


def one(target: str, seed: int) -> dict[str, Any]:
    """Run a random network and return what was compared."""
    rng = np.random.default_rng([seed, list(SIZES).index(target)])
    with tempfile.TemporaryDirectory() as place:
        net, artifact, samples, steps, refused = legal(target, rng, Path(place) / "a")
        rate = float(rng.choice([0.02, 0.1, 0.3]))
        inputs = {"input": (rng.random((samples, steps, net.inputs[0].size)) < rate).astype(np.uint8)}
        start = time.perf_counter()
        run = targets.load(target).run(artifact, inputs, True, 3600)  # type: ignore[attr-defined]
    verdict = compare(simulate(net, inputs, record=True), run)
    neuron_steps = samples * steps * sum(p.size for p in net.populations if p.neuron)
    return {
        "target": target, "seed": seed, "sizes": [p.size for p in net.populations], "rate": rate, "refused": refused,
        "samples": samples, "steps": steps, "neuron_steps": neuron_steps, "by": verdict.candidate,
        "spikes": sum(n for name, n in verdict.fired.items() if name != "input"), "mismatches": verdict.mismatches,
        "states": sum(n for n, _ in verdict.states.values()), "state_mismatches": sum(d for _, d in verdict.states.values()),
        "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


def runs(target: str, wanted: int, seed: int, kept: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield runs, those that were kept first, until there are enough neuron-steps."""
    done = 0
    while done < wanted:
        found = next((r for r in kept if (r["target"], r["seed"]) == (target, seed)), None) or one(target, seed)
        done, seed = done + found["neuron_steps"], seed + 1
        yield found


def main() -> int:
    """Run, print every network, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=list(SIZES), action="append")
    parser.add_argument("--neuron-steps", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("SNNC_VERILOG", "verilator")
    kept = [json.loads(line) for line in given.kept.read_text().splitlines()] if given.kept and given.kept.exists() else []
    every = []
    for target in given.target or list(SIZES):
        for found in runs(target, given.neuron_steps, given.seed, kept):
            every.append(found)
            print(json.dumps(found), flush=True)
            if given.kept and found not in kept:
                with given.kept.open("a") as file:
                    file.write(json.dumps(found) + "\n")
    wrong = sum(found["mismatches"] + found["state_mismatches"] for found in every)
    totals = {name: sum(f["neuron_steps"] for f in every if f["target"] == name) for name in SIZES}
    print(json.dumps({"neuron_steps": totals, "mismatches": wrong}))
    if given.json:
        command = "python benchmarks/open_chips.py --json results/open_chips.json"
        facts = {
            "schema": "snnc.benchmark-open-chips/1",
            "machine": machine.described(),
            "commit": machine.commit(),
            "command": command,
        }
        given.json.write_text(json.dumps({**facts, "neuron_steps": totals, "mismatches": wrong, "runs": every}, indent=1) + "\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
