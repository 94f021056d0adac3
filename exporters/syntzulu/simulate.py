"""Runs an artifact in the design's RTL: rasters become its input spikes, what the testbench writes down spikes and states."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError, RunError
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

from .._shared.hdl import description
from .._shared.rtl import Build, Design, simulator
from .layers import LARGEST, LAYERS

DESIGN = Design(
    "SYNtzulu", "SNNC_SYNTZULU_RTL", "https://github.com/gianlucaleone/SYNtzulu",
    tuple(f"syntzulu/{name}" for name in (
        "snn_lp.sv", "layer_lp.sv", "neuron_lp.sv", "integrator_and_fifo.sv", "integrator.sv", "bram_fifo.sv", "conv.sv",
        "adder_simd.sv", "accumulator.sv", "s2p.sv", "stack.v", "BRAM_singlePort_readFirst.sv", "SPRAM_singlePort_readFirst.v",
    )),
    (("syntzulu/snn_lp.sv", "layer_counter = layer_counter+1'b1;"), ("syntzulu/stack.v", "done = 0;")),
)  # fmt: skip
READ = ("config.txt", "weights_1.txt", "weights_2.txt", "weights_3.txt", "weights_4.txt")
CLOCKS_OF_A_NEURON = 40  # about, in every step


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Simulate the artifact on input rasters (samples, steps, n).

    Raises MissingDependencyError without RTL or simulator, FileError or RunError for what is wrong with the files.
    """
    folder, network = DESIGN.folder(), description(artifact, partial(_unsound, artifact))
    try:
        files = {name: (artifact.root / name).read_text() for name in READ}
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot be read: {error}", where=str(artifact.root), fix="export again") from error
    raster = np.asarray(inputs[network["input"]], np.int64)
    samples, steps = raster.shape[:2]
    total = sum(layer["neurons"] for layer in network["layers"])
    build = Build(DESIGN, folder, artifact.root.resolve() / "testbench.v", (), ("BRAM",), (("config.txt", files["config.txt"]),))
    by = simulator(samples * steps * total * CLOCKS_OF_A_NEURON)
    commands = {**files, "inputs.hex": _played(raster, network["inputs"])}
    left = build.simulate(by, commands, ("currents.txt", "voltages.txt"), timeout_s)
    try:
        currents = _columns(left["currents.txt"], 2).reshape(samples, steps, total)
        both = _columns(left["voltages.txt"], 4).reshape(samples, steps, total, 2)
    except ValueError as error:
        raise RunError(f"the simulation left no usable outputs: {error}", where=str(artifact.root), fix="export again") from error
    spikes: dict[str, NDArray[Any]] = {network["input"]: inputs[network["input"]]}
    states = {}
    first = 0
    for layer in network["layers"]:
        mine = slice(first, first + layer["used"])
        if name := layer["population"]:
            spikes[name] = both[..., mine, 1].astype(np.uint8)
            states[name] = {"u": currents[..., mine], "v": both[..., mine, 0]}
        first += layer["neurons"]
    return Run(f"RTL of {DESIGN.name} in {by.name}", artifact.dt_s, spikes, states if record else {}, artifact.latency)


def _unsound(artifact: Artifact, network: dict[str, Any]) -> str:
    """Return in words that network.json says what the manifest does not, or what the design cannot be."""
    names = [layer["population"] for layer in network["layers"]]
    sizes = [network["inputs"], *(layer["neurons"] for layer in network["layers"])]
    sound = sorted([network["input"], *filter(None, names)]) == sorted(artifact.latency) and len(names) == LAYERS
    sound = sound and all(type(n) is int and 0 < n <= LARGEST for n in sizes)
    sound = sound and all(type(x["used"]) is int and 0 <= x["used"] <= x["neurons"] for x in network["layers"])
    return "" if sound else "names other populations than the manifest, or a layer that there is not"


def _played(raster: NDArray[np.int64], sources: int) -> str:
    """Return the lines of inputs.hex: for each step whether it is a sample's first, and the spikes in fours."""
    samples, steps, n = raster.shape
    wide = np.zeros((samples, steps, sources), np.int64)
    wide[..., :n] = raster != 0
    groups = wide.reshape(samples * steps, -1, 4) @ np.array([8, 4, 2, 1])
    return "".join(f"{int(i % steps == 0)} {' '.join(f'{group:x}' for group in row)}\n" for i, row in enumerate(groups.tolist()))


def _columns(text: str, count: int) -> NDArray[np.int64]:
    """Return the numbers of a file with so many a line. Raises ValueError for anything else, as x."""
    return np.array(text.split(), np.int64).reshape(-1, count)
