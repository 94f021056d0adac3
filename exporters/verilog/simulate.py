"""Runs an artifact in Icarus Verilog or Verilator: inputs become the testbench's commands, its files become spikes and states."""

import hashlib
import shutil
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.chips.fpga import Placed
from snnc.errors import RunError
from snnc.simulation.run import Rasters, Run
from snnc.targets import runner
from snnc.targets.target import Artifact

from .._shared import hdl
from .._shared.hdl import CompiledFolder, description
from .bitstream import placed_memories
from .devices import Device, device
from .netlist import is_loaded, write_netlist
from .yosys import NETWORK

SOURCES = ("testbench.v", *NETWORK)
VERILATOR = "--binary --timing -O3 -Wno-fatal -Wno-lint --top-module testbench -Mdir build -o simulation"


@dataclass(frozen=True)
class Simulator:
    """A simulator of Verilog: the command that compiles into the folder where it is run, and what it makes there."""

    runner: runner.Runner
    compile: tuple[str, ...]
    program: tuple[str, ...]


SIMULATORS = {
    "iverilog": Simulator(
        hdl.ICARUS,
        ("iverilog", "-g2005", "-s", "testbench", "-o", "simulation"),
        ("vvp", "-n", "simulation"),
    ),
    "verilator": Simulator(
        hdl.VERILATOR,
        ("verilator", *VERILATOR.split()),
        ("build/simulation",),
    ),
}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Simulate the artifact on input rasters (samples, steps, n), by what the variable SNNC_VERILOG names, else Icarus Verilog.

    Raises MissingDependencyError without a simulator, FileError or RunError for what is wrong with the files.
    """
    return _simulated(artifact, inputs, record, timeout_s, None)


def run_netlist(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float, name: str) -> Run:
    """Synthesise the network for the FPGA ``name`` and simulate the netlist of its cells, like `run`.

    Synapses that lie in memory which no bitstream fills are written through the design's port first. Raises as `run`, and
    MissingDependencyError without yosys, ConfigError for an unknown FPGA, DoesNotFitError for one that is too small.
    """
    return _simulated(artifact, inputs, record, timeout_s, device(name))


def _simulated(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float, chip: Device | None) -> Run:
    simulator = SIMULATORS[hdl.simulator().command]
    sizes = description(artifact, partial(_unsound, artifact))
    placed = placed_memories(artifact, chip) if chip else ()
    program = _compiled(artifact.root.resolve(), _digest(artifact), simulator, timeout_s, chip, placed)
    with runner.temporary_folder(simulator.runner) as folder:
        for path in program.path.iterdir():
            (folder / path.name).symlink_to(path)
        with runner.write_errors(simulator.runner):
            (folder / "commands.txt").write_text(commands(sizes, inputs))
        options = [f"+trace={int(record)}", *(["+load"] if is_loaded(placed) else [])]
        runner.call([*simulator.program, *options], folder, timeout_s, simulator.runner)
        by = f"{simulator.runner.name}, netlist of {chip.name}" if chip else simulator.runner.name
        return _result(artifact, sizes, inputs, record, folder, by)


@lru_cache(maxsize=1)  # for each part of a long verification, the same is compiled
def _compiled(
    root: Path, digest: str, simulator: Simulator, timeout_s: float, chip: Device | None, placed: tuple[Placed, ...]
) -> CompiledFolder:
    with runner.write_errors(simulator.runner):
        program = CompiledFolder()
        for path in root.iterdir():
            if path.suffix in (".v", ".hex"):
                shutil.copy(path, program.path / path.name)
    sources = write_netlist(chip, placed, program.path, timeout_s) if chip else SOURCES
    runner.call([*simulator.compile, *sources], program.path, timeout_s, simulator.runner)
    return program


def _digest(artifact: Artifact) -> str:
    """Of the sources and images as they are now."""
    digest = hashlib.sha256()
    for path in sorted(artifact.root.iterdir()):
        if path.suffix in (".v", ".hex"):
            digest.update(f"{path.name} {path.stat().st_size} ".encode() + path.read_bytes())
    return digest.hexdigest()


def _unsound(artifact: Artifact, sizes: dict[str, Any]) -> str:
    """Return in words that network.json names other populations than the manifest, or numbers that cannot be."""
    names = [name for name, _ in sizes["inputs"]] + [name for name, _, _ in sizes["neurons"]]
    bits = [bits for _, _, states in sizes["neurons"] for _, bits in states]
    numbers = [n for _, n, *_ in sizes["inputs"] + sizes["neurons"]]
    numbers += [sizes["parameters"][name] for name in ("LANES", "TRACE", "INDEX", "MESSAGE", "POPULATION")]
    sound = (
        isinstance(sizes["order"], dict)
        and sorted(names) == sorted(artifact.latency)
        and all(type(n) is int and n > 0 for n in [*bits, *numbers])
    )
    return "" if sound else f"names populations {sorted(names)}, the manifest {sorted(artifact.latency)}"


def commands(sizes: dict[str, Any], inputs: Rasters) -> str:
    """The lines of the testbench's commands.txt for input rasters (samples, steps, n): each sample from a fresh state."""
    p = sizes["parameters"]
    samples, steps = next(iter(inputs.values())).shape[:2]
    lines: list[list[str]] = [[] for _ in range(samples * steps)]
    for number, (name, n) in enumerate(sizes["inputs"]):
        raster = np.asarray(inputs[name]).reshape(samples * steps, n)
        at, neuron = np.nonzero(raster)
        words = (number << p["MESSAGE"] | raster[at, neuron].astype(np.int64)) << p["INDEX"] | neuron
        for step, word in zip(at.tolist(), words.tolist(), strict=True):
            lines[step].append(f"0 {word:x}\n")
    text = []
    for step, events in enumerate(lines):
        text += ["2 0\n"] if step % steps == 0 else []
        text += [*events, "1 0\n"]
    return "".join(text)


def _result(artifact: Artifact, sizes: dict[str, Any], inputs: Rasters, record: bool, folder: Path, by: str) -> Run:
    samples, steps = next(iter(inputs.values())).shape[:2]
    if (refused := folder / "refused.txt").is_file():
        raise RunError(f"the testbench refused its inputs: {refused.read_text()[:200]}", where=str(artifact.root))
    try:
        fired = _spikes(folder / "spikes.txt", sizes, samples, steps)
        traces = _states(folder / "trace.txt", sizes, samples, steps) if record else {}
        clocks = int((folder / "clocks.txt").read_text())
    except (OSError, ValueError, IndexError) as error:
        raise RunError(f"the simulation left no usable outputs: {error}", where=str(artifact.root), fix="export again") from error
    spikes = {name: inputs[name] if name in inputs else fired[name] for name in artifact.latency}
    return Run(by, artifact.dt_s, spikes, traces, artifact.latency, measured={"clocks": float(clocks)})


def _spikes(path: Path, sizes: dict[str, Any], samples: int, steps: int) -> dict[str, NDArray[np.uint8]]:
    """Spikes as rasters (samples, steps, n); one that is sent twice is counted twice."""
    rows = [[int(word, 16) for word in line.split()] for line in path.read_text().splitlines()]
    events = np.array(rows, np.int64).reshape(-1, 3)
    found, first = {}, len(sizes["inputs"])
    for number, (name, n, _) in enumerate(sizes["neurons"], first):
        mine = events[events[:, 1] == number]
        raster = np.zeros((samples * steps, n), np.uint8)
        np.add.at(raster, (mine[:, 0], _order(sizes, name, n)[mine[:, 2]]), 1)
        found[name] = raster.reshape(samples, steps, n)
    if events.size and not first <= events[:, 1].min() <= events[:, 1].max() < first + len(found):
        raise ValueError(f"spikes of a population {events[:, 1].max()}")
    return found


def _states(path: Path, sizes: dict[str, Any], samples: int, steps: int) -> dict[str, dict[str, NDArray[np.int64]]]:
    """The states (samples, steps, n) of each population out of the lines of the trace."""
    p = sizes["parameters"]
    lanes, digits = p["LANES"], -(-p["LANES"] * p["TRACE"] // 4)
    groups = [-(-n // lanes) for _, n, _ in sizes["neurons"]]
    text = np.frombuffer(path.read_bytes(), np.uint8).reshape(samples * steps, sum(groups), digits + 1)
    bits = _bits(text[..., :digits])
    found: dict[str, dict[str, NDArray[np.int64]]] = {}
    first = 0
    for (name, n, states), count in zip(sizes["neurons"], groups, strict=True):
        found[name], offset = {}, 0
        order = _order(sizes, name, n)
        mine = bits[:, first : first + count]
        for state, width in states:
            columns = [_signed(mine[..., lane * p["TRACE"] + offset :][..., :width]) for lane in range(lanes)]
            together = np.stack(columns, axis=2).reshape(samples * steps, count * lanes)
            found[name][state], offset = together[:, np.argsort(order)].reshape(samples, steps, n), offset + width
        first += count
    return found


def _order(sizes: dict[str, Any], name: str, n: int) -> NDArray[np.int64]:
    """The neuron at each position of a population. Raises ValueError if they are not each there once."""
    order = np.asarray(sizes["order"].get(name, range(n)), np.int64)
    if sorted(order.tolist()) != list(range(n)):
        raise ValueError(f"the order of {name!r} is none of {n} neurons")
    return order


def _bits(text: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hexadecimal digits (..., digits) as bits (..., 4 * digits), the lowest first. Raises ValueError for an x."""
    table = np.full(256, 255, np.uint8)
    table[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
    values = table[text]
    if (values == 255).any():
        raise ValueError("a state has no value (x)")
    return np.unpackbits(values[..., ::-1, None], axis=-1, count=4, bitorder="little").reshape(*text.shape[:-1], -1)


def _signed(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits (..., width), the lowest first, as numbers in two's complement."""
    weights = np.int64(1) << np.arange(bits.shape[-1], dtype=np.int64)
    weights[-1] = -weights[-1]
    total: NDArray[np.int64] = bits @ weights
    return total
