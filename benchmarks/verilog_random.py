"""Random networks of every neuron as Verilog against the reference: 10**8 neuron-steps, every spike and every state.

    python benchmarks/verilog_random.py [--neuron-steps N] [--kept FILE] [--only MODEL] [--lanes 1 2 4 8] [--json FILE]

Each neuron model runs with 1, 2, 4 and 8 lanes, and so does a mixture in which each population has another model: two
populations of 1,024 neurons with a recurrence, a loop back, delays of axons and of synapses, graded inputs, a threshold, decays
and a bias for each neuron, and extreme parameters among them; the mixture also has a convolution whose places share rows of
synapses. Verilator runs them. A design is compiled once, in 6 to 8 s of a core; 10**6 neuron-steps then take 2 to 3 s, most of
it to read and to compare what they left. --kept: where what was compared is kept, to go on from there. The exit code is 1 if
anything differs or a population of firing neurons is silent everywhere.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import machine

import snnc.chips as chips
from snnc import neurons, targets
from snnc.errors import UnsupportedError
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.network.units import BIAS, DECAY, STEPS, THRESHOLD
from snnc.ops.conv2d import Conv2d
from snnc.ops.dense import Dense
from snnc.simulation import engine
from snnc.simulation.run import Rasters
from snnc.verification.compare import compare

NUMERIC = chips.load("loihi1").fixed()
LANES = (1, 2, 4, 8)
MIXED = "mixed"
MODELS = (*neurons.names(), MIXED)
STEPS_A_SAMPLE = 16
PLANES = (4, 16, 16)  # of the mixture's population that a convolution feeds
SIZES = {"input": 200, "graded": 50, "first": 1024, "second": 1024, "output": 40}
FAN_IN = 6
EDGES = (  # name, from, to, steps, what delays differ
    ("in", "input", "first", 0, ""),
    ("levels", "graded", "first", 2, ""),
    ("again", "first", "first", 1, "synapses"),
    ("on", "first", "second", 0, "axons"),
    ("skip", "input", "second", 5, ""),
    ("back", "second", "first", 3, ""),
    ("out", "second", "output", 0, ""),
)


def network(model: str, seed: int) -> Network:
    """Return a random integer network whose populations have neurons of a model, or of several; a readout's but the last LIF."""
    rng = np.random.default_rng(seed)
    firing = [name for name in neurons.names() if neurons.get(name).rule.fires]
    populations = []
    for name, n in SIZES.items():
        of = str(rng.choice(firing)) if model == MIXED else model
        fires = neurons.get(of).rule.fires or name == "output"
        made = None if name in ("input", "graded") else neuron(rng, of if fires else "lif", n)
        populations.append(Population(name, (n,), made, 4 if name == "graded" else 0))
    connections = [connection(rng, *edge) for edge in EDGES]
    if model == MIXED:
        places = connection_of_planes(rng)
        populations += [Population("pixels", (2, 16, 16), None), Population("planes", PLANES, neuron(rng, "cuba", 1024))]
        connections += [places, connection(rng, "planes_out", "planes", "second", 1, "")]
    return Network(f"{model}{seed}", tuple(populations), tuple(connections), 1e-3, NUMERIC)


def neuron(rng: np.random.Generator, model: str, n: int) -> Any:
    """Return neurons with parameters of their own, ordinary ones and extreme ones."""
    example, values = neurons.get(model).example(), {}
    for name, field in example.parameters().items():
        unit, value = field.metadata["unit"], getattr(example, name)
        if unit is DECAY:
            values[name] = rng.choice([1, 300, 1000, 2048, 4095], n) if rng.random() < 0.7 else np.int64(rng.choice([256, 1024]))
        elif unit is THRESHOLD:
            values[name] = np.where(rng.random(n) < 0.1, rng.choice([1, (1 << 17) - 1], n), rng.integers(50, 900, n))
        elif unit is BIAS:
            values[name] = rng.integers(-(1 << 12), 1 << 12, n) << rng.integers(0, 3)
        elif unit is STEPS:
            values[name] = rng.integers(0, 4, n)
        else:
            values[name] = np.int64(np.rint(value * unit.per_float(300, NUMERIC)))
    return type(example)(**values)


def connection(rng: np.random.Generator, name: str, src: str, dst: str, steps: int, delays: str) -> Connection:
    """Return a sparse random connection, with the grid's ends among its weights."""
    n_dst, n_src = (SIZES.get(end, int(np.prod(PLANES))) for end in (dst, src))
    grid = np.array(weight_grid(NUMERIC, "mixed"))
    weights = np.zeros((n_dst, n_src), np.int64)
    rows = np.repeat(np.arange(n_dst), FAN_IN)
    weights[rows, rng.integers(0, n_src, len(rows))] = rng.choice(grid[grid != 0], len(rows))
    synapses = Synapses.from_dense(weights)
    if delays == "synapses":
        synapses = replace(synapses, delays=rng.integers(0, 4, synapses.count).astype(np.int32))
    axons = rng.integers(0, 4, n_src).astype(np.int32) if delays == "axons" else None
    exponent = -2 if src == "graded" else int(rng.integers(0, 2))
    return Connection(name, src, dst, Dense(synapses, exponent, "mixed"), steps, axons)


def connection_of_planes(rng: np.random.Generator) -> Connection:
    """Return a convolution of 3 x 3 pixels with a border, two steps late."""
    grid = np.array(weight_grid(NUMERIC, "mixed"))
    kernel = rng.choice(grid[grid != 0], (PLANES[0], 2, 3, 3))
    op = Conv2d.from_kernel(kernel, (2, 16, 16), padding=1)
    return Connection("planes_in", "pixels", "planes", replace(op, exponent=0, sign_mode="mixed"), 2)


def inputs(net: Network, samples: int, seed: int) -> Rasters:
    """Return random rasters; the rate differs between samples, from silence to every slot."""
    rng = np.random.default_rng(seed)
    rates = rng.choice([0.0, 0.05, 0.2, 0.5, 1.0], (samples, 1, 1), p=[0.05, 0.4, 0.4, 0.1, 0.05])

    def raster(n: int, most: int) -> NDArray[np.int64]:
        fired = rng.random((samples, STEPS_A_SAMPLE, n)) < rates
        return np.where(fired, rng.integers(1, most + 1, fired.shape), 0)

    return {p.name: raster(p.size, (1 << max(1, p.message_bits)) - 1) for p in net.inputs}


def exportable(model: str, seed: int, lanes: int, folder: Path) -> tuple[Network, Any]:
    """Return the first random network from a seed on that the target takes, and its artifact."""
    while True:
        net = network(model, seed)
        try:
            return net, targets.export("verilog", net, None, folder, force=True, options={"lanes": lanes})
        except UnsupportedError as error:
            print(f"{net.name}: {error}", flush=True)
            seed += 1000


def compared(model: str, lanes: int, neuron_steps: int, batch: int = 100) -> dict[str, Any]:
    """Compare a random network of a model with so many lanes, batch after batch."""
    seed, start = MODELS.index(model) * 10 + lanes, time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        net, artifact = exportable(model, seed, lanes, Path(place) / "a")
        run, n = targets.load("verilog").run, sum(p.size for p in net.populations if p.neuron)
        total: dict[str, Any] = {"neuron_steps": 0, "spikes": 0, "mismatches": 0, "clocks": 0, "first": None, "fired": {}}
        while total["neuron_steps"] < neuron_steps:
            given = inputs(net, batch, seed + total["neuron_steps"])
            found = run(artifact, given, True, 3600)
            verdict = compare(engine.simulate(net, given, record=True), found)
            total["neuron_steps"] += batch * STEPS_A_SAMPLE * n
            total["spikes"] += sum(verdict.fired.values())
            total["mismatches"] += verdict.mismatches
            total["clocks"] += int(found.measured["clocks"])
            total["first"] = total["first"] or (verdict.first and str(verdict.first))
            total["fired"] = {name: total["fired"].get(name, 0) + count for name, count in verdict.fired.items()}
    seconds = round(time.perf_counter() - start, 1)
    return {"model": model, "lanes": lanes, "network": net.name, "hash": net.hash, **total, "seconds": seconds}


def main() -> int:
    """Compare, print what was found, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neuron-steps", type=float, default=1e8)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--only")
    parser.add_argument("--lanes", type=int, nargs="+", default=LANES)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("SNNC_VERILOG", "verilator")
    models = [given.only] if given.only else list(MODELS)
    rows = json.loads(given.kept.read_text()) if given.kept and given.kept.is_file() else []
    done = {(row["model"], row["lanes"]) for row in rows}
    each = int(given.neuron_steps / len(MODELS) / len(LANES)) + 1
    for model, lanes in ((m, k) for m in models for k in given.lanes if (m, k) not in done):
        rows.append(compared(model, lanes, each))
        print(json.dumps(rows[-1]), flush=True)
        if given.kept:
            given.kept.write_text(json.dumps(rows, indent=1) + "\n")
    result = {
        "schema": "snnc.benchmark-verilog-random/1", "machine": machine.described(), "commit": machine.commit(),
        "simulator": os.environ["SNNC_VERILOG"], "neuron_steps": sum(row["neuron_steps"] for row in rows),
        "mismatches": sum(row["mismatches"] for row in rows), "rows": rows,
    }  # fmt: skip
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    silent = [row["network"] for row in rows if not all(row["fired"].get(name, 0) for name in ("first", "second"))]
    print(f"{result['neuron_steps']:,} neuron-steps, {result['mismatches']} mismatches, silent: {silent}")
    return int(result["mismatches"] > 0 or bool(silent))


if __name__ == "__main__":
    sys.exit(main())
