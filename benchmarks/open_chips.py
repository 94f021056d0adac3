"""Random legal networks on chips of others, spike for spike and state for state: Catalyst N1 and SYNtzulu by their RTL,
Xylo by the simulator of its maker.

    SNNC_CATALYST_N1_RTL=DIR SNNC_SYNTZULU_RTL=DIR python benchmarks/open_chips.py [--target NAME] [--neuron-steps 10000000]
        [--seed 0] [--kept FILE] [--json results/open_chips.json]

Thresholds, decays, biases and weights are drawn over all that the chip's registers hold, so that no register can wrap; what its
target refuses nevertheless, as it does not fit, is drawn again. --kept: where every network that was run is noted, to go on from
there. The exit code is 1 if anything differs.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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

Random = np.random.Generator


class Layer(NamedTuple):
    """Holds what is drawn for a layer."""

    neuron: Any
    legal: NDArray[np.bool_]  # (n_dst, n_src): which synapses may stay
    exponent: int  # of the weights
    sends: int = 1  # the most spikes of a neuron in a step


@dataclass(frozen=True)
class Chip:
    """A chip of the benchmark: shapes of networks, and what draws the neurons of a layer so that it is legal."""

    shapes: tuple[tuple[tuple[int, ...], float, int, int], ...]  # sizes, part of the synapses that exist, samples, steps
    layer: Callable[[int, bool, NDArray[np.int64], Random], Layer]
    """(layer, whether it is the last, weights times what a source sends at most in a step, rng); of a loop, the weights"""
    profile: str
    message_bits: int = 0  # of the inputs
    loops: bool = False  # whether hidden layers feed themselves


def draw(chip: Chip, rng: Random) -> tuple[Network, int, int]:
    """Return (random network for a chip, samples, steps); whether it can be exported is up to its target."""
    sizes, density, samples, steps = chip.shapes[int(rng.integers(len(chip.shapes)))]
    populations, connections = [Population("input", (sizes[0],), None, chip.message_bits)], []
    sends = 2 ** max(chip.message_bits, 1) - 1
    for i, n in enumerate(sizes[1:], 1):
        last = i == len(sizes) - 1
        sources = [populations[-1].name, *([f"p{i}"] if chip.loops and not last else [])]
        weight, exists = drawn(n, sizes[i - 1], density, rng)
        weight *= sends
        if len(sources) > 1:
            again, there = drawn(n, n, min(0.5, LOOPS / n), rng)
            weight, exists = np.concatenate([weight, again], 1), np.concatenate([exists, there], 1)
        layer = chip.layer(i, last, weight * exists, rng)
        weight[:, : sizes[i - 1]] //= sends
        sends = layer.sends
        populations.append(Population(f"p{i}", (n,), layer.neuron))
        for j, (source, part) in enumerate(zip(sources, np.split(np.arange(weight.shape[1]), [sizes[i - 1]]), strict=False)):
            op = Dense(Synapses.from_dense(weight[:, part], (exists & layer.legal)[:, part]), layer.exponent, "mixed")
            connections.append(Connection(f"c{i}{'r' * j}", source, f"p{i}", op, j))
    return Network("random", tuple(populations), tuple(connections), 1e-3, chips.load(chip.profile).fixed()), samples, steps


def drawn(n: int, n_src: int, density: float, rng: Random) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return even weights -256 .. 254, of one of three sizes, and which of them exist."""
    weight = 2 * rng.integers(-128, 128, (n, n_src)) // int(rng.choice([1, 2, 8])) // 2 * 2
    return weight.astype(np.int64), rng.random(weight.shape) < density


def within(weight: NDArray[np.int64], limit: int) -> NDArray[np.bool_]:
    """Return which synapses of each neuron are left if its magnitudes are to sum to no more than a limit: the first ones."""
    return np.asarray(np.cumsum(np.abs(weight), axis=1) <= limit)


def least_decay(weight: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    """Return for each neuron the least decay of 12 bits with which what its synapses bring in every step stays within a limit."""
    most = np.maximum(np.where(weight > 0, weight, 0).sum(1), -np.where(weight < 0, weight, 0).sum(1))
    return np.asarray(np.minimum(most * 4096 // limit + 1, 4095), np.int64)


def catalyst(_: int, last: bool, weight: NDArray[np.int64], rng: Random) -> Layer:
    """Return a layer of Catalyst N1, whose neurons have parameters of their own; a current must stay within 16 bits."""
    n, exponent, limit = len(weight), int(rng.integers(0, 8)), 32_700
    legal = within(weight << exponent, limit - 40)
    decay_u = np.maximum(up_to(4095, n, rng), least_decay((weight * legal) << exponent, limit))
    mantissa, bias_exponent = up_to(4095, n, rng) * rng.choice([-1, 0, 1], n), rng.integers(0, 8, n) // 2
    values = {"threshold": up_to(32767, n, rng), "decay_u": decay_u, "decay_v": up_to(4095, n, rng)}
    return Layer(neurons.get("catalyst")(**values, bias=mantissa << bias_exponent), legal, exponent)


def syntzulu(layer: int, last: bool, weight: NDArray[np.int64], rng: Random) -> Layer:
    """Return a layer of SYNtzulu, whose neurons share their parameters; a voltage must stay within 16 bits."""
    limit, none = 32_700, np.int64(0)
    legal = within(weight // 2, limit - 40)
    decay_v = np.maximum(up_to(4095, 1, rng)[0], least_decay(weight // 2 * legal, limit).max())
    if layer == 4:
        return Layer(neurons.get("li")(decay_u=np.int64(4096), decay_v=decay_v, bias=none), legal, -1)  # type: ignore[call-arg]
    return Layer(neurons.get("lif")(threshold=up_to(32765, 1, rng)[0], decay_v=decay_v, bias=none), legal, -1)  # type: ignore[call-arg]


def xylo(layer: int, last: bool, weight: NDArray[np.int64], rng: Random) -> Layer:
    """Return a layer of Xylo, whose neurons have parameters of their own.

    i must stay within 16 bits, and so must u and what v loses in a step together. A bias is added from the first step on, so
    only the first layer has some. Hidden layers feed themselves, over the last columns.
    """
    n, bias = len(weight), np.zeros(len(weight), np.int64)
    for_u, for_v = np.minimum(up_to(15, n, rng), rng.integers(0, 16, n)), rng.integers(0, 16, n)
    if layer == 1:
        bias = up_to(9_000, n, rng) * rng.choice([-1, 0, 1], n)
    threshold = np.maximum(up_to(32767, n, rng), 1)
    values = {"threshold": threshold, "decay_u": 1 << 15 >> for_u, "decay_v": 1 << 15 >> for_v, "bias": bias}
    most = np.where(for_v == 0, 11_000, 32_700 - (1 << 15 >> for_v))  # of u
    brings = np.abs(weight // 2)
    if not last:
        brings[:, -n:] *= MOST_SPIKES
    order, legal = rng.permutation(weight.shape[1]), np.zeros(weight.shape, np.bool_)
    legal[:, order] = np.cumsum(brings[:, order], axis=1) <= (most >> for_u)[:, None] - 1
    return Layer(neurons.get("xylo_output" if last else "xylo")(**values), legal, -1, MOST_SPIKES)


CHIPS = {
    "catalyst_n1": Chip((((48, 900), 0.08, 6, 320), ((30, 30, 400), 0.12, 6, 320)), catalyst, "catalyst_n1"),
    "syntzulu": Chip((((60, 128, 100, 50), 0.3, 16, 160), ((250, 120, 60), 0.3, 16, 160),
                      ((100, 64, 30, 60, 20), 0.4, 16, 160)), syntzulu, "syntzulu"),
    "xylo": Chip((((16, 900, 8), 0.3, 20, 400), ((16, 300, 600, 8), 0.03, 20, 400), ((8, 60, 50, 40, 8), 0.4, 60, 400)),
                 xylo, "xylo_audio2", message_bits=4, loops=True),
}  # fmt: skip
TRIES = 200
LOOPS = 20  # synapses of a neuron to its own layer, where there are any
MOST_SPIKES = 31  # of a hidden neuron of Xylo in a step


def up_to(most: int, n: int, rng: Random) -> NDArray[np.int64]:
    """Return numbers 0 .. most, of each size as many as of the others, and some at both ends."""
    drawn = np.floor(np.exp(rng.uniform(0, np.log(most + 1), n))).astype(np.int64)
    ends = np.where(rng.random(n) < 0.5, 0, most)
    return np.where(rng.random(n) < 0.05, ends, np.minimum(drawn, most))


def legal(target: str, rng: Random, folder: Path) -> tuple[Network, Any, int, int, int]:
    """Return (network, artifact, samples, steps, how many were refused before)."""
    for refused in range(TRIES):
        net, samples, steps = draw(CHIPS[target], rng)
        try:
            return net, targets.export(target, net, None, folder, force=True), samples, steps, refused
        except (UnsupportedError, DoesNotFitError) as error:
            why = error
    raise SystemExit(f"no network for {target} was legal in {TRIES} tries; the last: {why}")


def one(target: str, seed: int) -> dict[str, Any]:
    """Run a random network and return what was compared."""
    rng = np.random.default_rng([seed, list(CHIPS).index(target)])
    with tempfile.TemporaryDirectory() as place:
        net, artifact, samples, steps, refused = legal(target, rng, Path(place) / "a")
        rate = float(rng.choice([0.02, 0.1, 0.3]))
        inputs = {"input": (rng.random((samples, steps, net.inputs[0].size)) < rate).astype(np.uint8)}
        if bits := net.inputs[0].message_bits:
            inputs["input"] *= rng.integers(1, 1 << bits, inputs["input"].shape, np.uint8)
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
    parser.add_argument("--target", choices=list(CHIPS), action="append")
    parser.add_argument("--neuron-steps", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("SNNC_VERILOG", "verilator")
    kept = [json.loads(line) for line in given.kept.read_text().splitlines()] if given.kept and given.kept.exists() else []
    every = []
    for target in given.target or list(CHIPS):
        for found in runs(target, given.neuron_steps, given.seed, kept):
            every.append(found)
            print(json.dumps(found), flush=True)
            if given.kept and found not in kept:
                with given.kept.open("a") as file:
                    file.write(json.dumps(found) + "\n")
    wrong = sum(found["mismatches"] + found["state_mismatches"] for found in every)
    totals = {name: sum(f["neuron_steps"] for f in every if f["target"] == name) for name in CHIPS}
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
