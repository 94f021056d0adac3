"""Samples per second of exported programs on 784-800-10 at 5 %: onnxruntime, C99, and the reference and engine of snnc.

Random weights and a random input of 32 steps, the same for all; onnxruntime runs sequence.onnx at several batch sizes with as
many threads as asked for, C one sample after the other on one thread (gcc -O3 -march=native). All are held against the
reference before they are timed, and the rounds are interleaved.

    python benchmarks/programs.py [--threads 2] [--rounds 5] [--samples 64] [--json results/programs.json]
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
from peers import machine

from snnc import chips, targets
from snnc.network.model import Connection, Network, Population
from snnc.network.op import weight_grid
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense
from snnc.simulation import engine
from snnc.simulation.reference import simulate
from snnc.simulation.run import Rasters

SIZES, STEPS, RATE, CONNECTIVITY = (784, 800, 10), 32, 0.1, 0.05
BATCHES = (1, 64)
MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include "snn.h"
static snn_state s;
static uint8_t input[SAMPLES][STEPS][784];
int main(int argc, char **argv)
{
    FILE *in = fopen(argv[argc - 1], "rb");
    long fired = 0;
    if (!in || fread(input, sizeof input, 1, in) != 1)
        return 1;
    for (int sample = 0; sample < SAMPLES; sample++) {
        snn_reset(&s);
        for (int step = 0; step < STEPS; step++) {
            snn_step(&s, input[sample][step]);
            for (int i = 0; i < 10; i++)
                fired += s.output_spikes[i];
        }
    }
    printf("%ld", fired);
    return 0;
}
"""


def network() -> Network:
    """Random integer weights on Loihi's grid; about a tenth of the neurons fire in a step."""
    rng, numeric = np.random.default_rng(0), chips.load("loihi1").fixed()
    grid = np.array(weight_grid(numeric, "mixed"))
    populations = [Population("input", (SIZES[0],), None)]
    connections = []
    for name, n_src, n_dst in (("hidden", *SIZES[:2]), ("output", *SIZES[1:])):
        mask = rng.random((n_dst, n_src)) < CONNECTIVITY
        op = Dense(Synapses.from_dense(rng.choice(grid[grid != 0], mask.shape), mask), 0, "mixed")
        connections.append(Connection(f"to_{name}", populations[-1].name, name, op))
        populations.append(Population(name, (n_dst,), LIF(np.array(500), np.array(512), np.array(0))))
    return Network("benchmark", tuple(populations), tuple(connections), 1e-3, numeric)


def onnx_runs(root: Path, inputs: Rasters, threads: int) -> dict[str, Callable[[], int]]:
    """sequence.onnx in batches of several sizes; each returns the spikes of the output."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(root / "sequence.onnx", options, providers=["CPUExecutionProvider"])
    raster = np.ascontiguousarray(np.moveaxis(inputs["input"], 1, 0))
    states = {i.name: i.shape[1] for i in session.get_inputs() if "." in i.name}

    def run(batch: int) -> int:
        zeros = {name: np.zeros((batch, n), np.int64) for name, n in states.items()}
        parts = (raster[:, at : at + batch] for at in range(0, raster.shape[1], batch))
        return sum(int(session.run(["output"], {**zeros, "input": part})[0].sum()) for part in parts)

    return {f"onnxruntime, batch {batch}": lambda batch=batch: run(batch) for batch in BATCHES}


def c_run(net: Network, inputs: Rasters, folder: Path) -> Callable[[], int]:
    """The C program; what it takes to start it is in its time."""
    root = targets.export("c", net, None, folder / "c").root
    samples = len(inputs["input"])
    (folder / "main.c").write_text(MAIN.replace("SAMPLES", str(samples)).replace("STEPS", str(STEPS)))
    flags = ["-std=c99", "-O3", "-march=native", "-I", root]
    subprocess.run(["gcc", *flags, folder / "main.c", root / "snn.c", "-o", folder / "main"], check=True)
    inputs["input"].astype(np.uint8).tofile(folder / "input")
    return lambda: int(subprocess.run([folder / "main", folder / "input"], capture_output=True, check=True).stdout)


def contestants(net: Network, inputs: Rasters, folder: Path, threads: int) -> dict[str, Callable[[], int]]:
    """All by name."""
    found = {
        "reference": lambda: int(simulate(net, inputs).spikes["output"].sum()),
        "engine": lambda: int(engine.simulate(net, inputs, threads=threads).spikes["output"].sum()),
    }
    found |= onnx_runs(targets.export("onnx", net, None, folder / "onnx").root, inputs, threads)
    return {**found, "C99, one thread": c_run(net, inputs, folder)}


def main() -> None:
    """Time all of them, interleaved, and print the samples per second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    net, rng = network(), np.random.default_rng(1)
    inputs = {"input": (rng.random((given.samples, STEPS, SIZES[0])) < RATE).astype(np.uint8)}
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = contestants(net, inputs, Path(folder), given.threads)
        said = {name: run() for name, run in runs.items()}
        if len(set(said.values())) != 1 or not said["reference"]:
            raise SystemExit(f"they do not agree: {said}")
        for _ in range(given.rounds):
            for name, run in runs.items():
                start = time.perf_counter()
                run()
                times.setdefault(name, []).append(time.perf_counter() - start)
    rates = {name: given.samples / statistics.median(taken) for name, taken in times.items()}
    for name, rate in rates.items():
        print(f"{name:24} {rate:12,.0f} samples/s {rate / rates['reference']:8.1f} x reference")
    if given.json:
        words = f"--threads {given.threads} --rounds {given.rounds} --samples {given.samples} --json results/programs.json"
        about = {"command": f"python benchmarks/programs.py {words}", "commit": machine.commit(), "machine": machine.described(),
                 "versions": {name: version(name) for name in ("numpy", "numba", "onnxruntime")}}  # fmt: skip
        given.json.write_text(json.dumps({**about, "output_spikes": said["reference"], "samples_per_s": rates}, indent=1) + "\n")


if __name__ == "__main__":
    main()
