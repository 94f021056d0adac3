"""What every contestant of benchmarks/simulate.py reads: one network as plain arrays, and one input. Needs NumPy only, as each
contestant runs in a process of its own, perhaps in an environment of its own.

A contestant is called as ``python run_NAME.py FOLDER SETTINGS``, where SETTINGS is a JSON object, and prints one JSON object as
its last line.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Layer:
    """A population of leaky integrate-and-fire neurons; ``keep`` is what a step leaves of v, all numbers in weight units."""

    name: str
    n: int
    threshold: float
    keep: float


@dataclass(frozen=True)
class Wires:
    """A connection: synapse k leads from ``pre[k]`` to ``post[k]`` with ``weight[k]``, ``delay`` steps late. A convolution also
    says its kernel (out, in, rows, columns), source shape, stride and padding."""

    name: str
    src: str
    dst: str
    delay: int
    pre: np.ndarray
    post: np.ndarray
    weight: np.ndarray
    kernel: np.ndarray | None
    geometry: Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A network, its input (samples, steps, n) of 0 and 1, and what the run is asked for."""

    folder: Path
    layers: tuple[Layer, ...]  # in the order of computation; the last one is the output
    wires: tuple[Wires, ...]
    inputs: np.ndarray
    settings: Mapping[str, Any]

    @property
    def steps(self) -> int:
        """Of a sample."""
        return self.inputs.shape[1]

    def into(self, name: str) -> list[Wires]:
        """The connections into a population."""
        return [w for w in self.wires if w.dst == name]

    def size(self, name: str) -> int:
        """Of a population, or of the input."""
        return next((layer.n for layer in self.layers if layer.name == name), self.inputs.shape[2])


def read() -> Case:
    """The case that the command line names; as many samples of it as the settings say."""
    folder, settings = Path(sys.argv[1]), json.loads(sys.argv[2])
    about = json.loads((folder / "case.json").read_text())
    with np.load(folder / "case.npz") as arrays:
        wires = tuple(
            Wires(*about_one, *(arrays.get(f"{about_one[0]}.{part}") for part in ("pre", "post", "weight", "kernel")), geometry)
            for *about_one, geometry in about["wires"]
        )
    raster = np.load(folder / "inputs.npy", mmap_mode="r")
    inputs = np.array(raster[: settings.get("samples")])  # in memory, as what a program has made is, not pages of a file
    return Case(folder, tuple(Layer(**layer) for layer in about["layers"]), wires, inputs, settings)


def timed(run: Callable[[], Any], rounds: int) -> tuple[list[float], Any]:
    """Seconds of each round, after one that is not counted; and what the last one returned."""
    result, seconds = run(), []
    for _ in range(rounds):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    return seconds, result


def peak_bytes() -> int:
    """The most memory that this process has held; the maximum of getrusage begins with that of its parent."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def say(by: str, timings: list[Mapping[str, Any]], output: np.ndarray, case: Case, **more: Any) -> None:
    """Print the result, and leave the output's spikes (samples, steps, n) in ``output.npy``.

    A timing holds what was varied, ``samples`` and ``seconds`` of each round.
    """
    np.save(case.folder / f"{case.settings['name']}.npy", np.asarray(output, np.uint8))
    print(json.dumps({"by": by, "timings": timings, "peak_bytes": peak_bytes(), **more}))
