"""What real Lava 0.10.0 said about some networks, in tests/golden/*.npz.

`python tests/cases/golden.py [NAME ...]` records it anew, with `tests` on PYTHONPATH.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from cases.convolutions import convolutional
from cases.lava_networks import Wire, edges, network, rasters
from cases.networks import fixed_loops, spikes
from snnc import store, targets
from snnc.simulation.run import Run

FOLDER = Path(__file__).parents[1] / "golden"
FILES = sorted(FOLDER.glob("*.npz"))

M, E, INH = "mixed", "excitatory", "inhibitory"
RECIPES = {  # name: (seed, sign mode and exponent of the six connections, message bits, weight bits, samples, steps)
    "plain": (1, [(M, 0)] * 6, 8, 8, 3, 20),
    "overflow": (2, [(E, 7), (M, 7), (INH, 7), (E, 7), (M, 7), (E, 7)], 1, 8, 3, 20),
    "tiny_exponents": (3, [(M, -8), (M, -5), (INH, -3), (M, -1), (E, -6), (M, -2)], 8, 8, 3, 20),
    "few_bits": (4, [(M, 1), (E, 0), (INH, 2), (M, 3), (M, 4), (E, -1)], 4, 3, 3, 20),
    "one_step": (5, [(M, 3), (E, 2), (M, 4), (E, 0), (M, 5), (E, 5)], 4, 8, 40, 1),
    "long": (6, [(M, 2), (M, 0), (E, 1), (INH, 0), (M, 1), (M, 0)], 8, 8, 1, 100),
}
SHARED = {"loops": lambda: fixed_loops(3), "convolutions": lambda: convolutional(seed=3, delays=True)}
NAMES = sorted([*RECIPES, *SHARED, "edges"])


def read(path, folder):
    """(network, inputs, run of Lava) from a recorded file; ``folder`` is a place for the network's file."""
    with np.load(path, allow_pickle=False) as file:
        (folder / "net.snnc").write_bytes(file["network"].tobytes())
        net = store.load(folder / "net.snnc")
        spikes = {p.name: file[p.name] for p in net.ordered}
        states = {p.name: {v: file[f"{p.name}.{v}"] for v in "uv"} for p in net.ordered if p.neuron}
        inputs = {p.name: file[f"input.{p.name}"] for p in net.inputs}
        return net, inputs, Run(str(file["by"]), net.dt_s, spikes, states, {})


def made(name):
    """The network of a recipe, and its input."""
    if name == "edges":
        net = edges()
        return net, {"spikes": np.ones((1, 4, 6), np.uint8)}
    if name in SHARED:
        net = SHARED[name]()
        return net, spikes(net, samples=4, rate=0.5)
    seed, ends, message_bits, weight_bits, samples, steps = RECIPES[name]
    net = network(seed, [Wire(*end) for end in ends], message_bits=message_bits, weight_bits=weight_bits)
    return net, rasters(net, seed, samples, steps)


def record(name):
    """Run a recipe in Lava and keep what it says."""
    net, inputs = made(name)
    with tempfile.TemporaryDirectory() as folder:
        artifact = targets.export("lava", net, None, Path(folder) / "artifact")
        run = targets.load("lava").run(artifact, inputs, True, 120)
    arrays = {"network": np.frombuffer(store.dumps(net), np.uint8), "by": np.array(run.by)}
    arrays |= {f"input.{n}": raster.astype(np.uint8) for n, raster in inputs.items()}
    arrays |= {n: raster.astype(np.uint8) for n, raster in run.spikes.items()}
    arrays |= {f"{n}.{v}": rows for n, state in run.states.items() for v, rows in state.items()}
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
    print(name, run.by, {n: int(raster.sum()) for n, raster in run.spikes.items()}, file=sys.stderr)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for recipe in sys.argv[1:] or NAMES:
        record(recipe)
