"""Runs an artifact in the chip's RTL: inputs become commands, what the testbench writes down becomes spikes and states."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.errors import FileError, RunError
from snnc.simulation.run import Rasters, Run
from snnc.targets.target import Artifact

from .._shared.hdl import description
from .._shared.rtl import Build, Design, simulator
from . import commands

DESIGN = Design(
    "Catalyst N1", "SNNC_CATALYST_N1_RTL", "https://github.com/catalyst-neuromorphic/catalyst-n1",
    ("neuromorphic_top.v", "host_interface.v", "neuromorphic_mesh.v", "scalable_core_v2.v", "spike_fifo.v", "sram.v"),
)  # fmt: skip
HELD_STEPS = 2  # before a sample: what was on its way reaches the relays, and then neurons that are held
CLOCKS_OF_A_NEURON = 4  # in every step
LIMITS = {"cores": 128, "neurons": 1024, "pool": 1 << 16, "per_source": 4095}


def run(artifact: Artifact, inputs: Rasters, record: bool, timeout_s: float) -> Run:
    """Simulate the artifact on input rasters (samples, steps, n).

    Raises MissingDependencyError without RTL or simulator, FileError or RunError for what is wrong with the files.
    """
    folder, network = DESIGN.folder(), description(artifact, partial(_unsound, artifact))
    samples, steps = next(iter(inputs.values())).shape[:2]
    size = network["chip"]
    build = Build(DESIGN, folder, artifact.root.resolve() / "testbench.v", _parameters(size))
    text = "".join(_played(artifact, network, inputs))
    runs = samples * (HELD_STEPS + steps + max(artifact.latency.values()))
    by = simulator(size["cores"] * (len(text) // 2 + runs * CLOCKS_OF_A_NEURON * dict(build.parameters)["NEURONS"]))
    left = build.simulate(by, {"commands.hex": text}, ("spikes.txt", "states.txt"), timeout_s, [f"+trace={int(record)}"])
    try:
        fired = _spikes(left["spikes.txt"], size, runs)
        states = _states(left["states.txt"], size, runs) if record else {}
    except ValueError as error:
        raise RunError(f"the simulation left no usable outputs: {error}", where=str(artifact.root), fix="export again") from error
    cut = _Cut(network["neurons"], artifact.latency, samples, steps)
    spikes = {name: inputs[name] if name in inputs else cut.of(name, fired) for name in artifact.latency}
    kept = {name: {v: cut.of(name, raster) for v, raster in states.items()} for name in network["neurons"]} if record else {}
    return Run(f"RTL of {DESIGN.name} in {by.name}", artifact.dt_s, spikes, kept, artifact.latency)


def _unsound(artifact: Artifact, network: dict[str, Any]) -> str:
    """Return in words that network.json says what the manifest does not, or what the chip cannot be."""
    size, neurons, relays = network["chip"], network["neurons"], network["relays"]
    sound = sorted([*neurons, *relays]) == sorted(artifact.latency) and all(
        type(size[name]) is int and 0 <= size[name] <= most for name, most in LIMITS.items()
    )
    places = [place for all_of in neurons.values() for place in all_of]
    places += [place for all_of in relays.values() for places in all_of for place in places]
    sound = sound and all(0 <= c < size["cores"] and 0 <= n < size["neurons"] for c, n in places)
    return "" if sound else "names other populations than the manifest, or a chip that there is not"


def _parameters(size: dict[str, int]) -> tuple[tuple[str, int], ...]:
    """Return the parameters of the smallest build of the chip that holds so much."""
    neuron_bits = max(6, (size["neurons"] - 1).bit_length())
    pool_bits = max(6, (size["pool"] - 1).bit_length())
    return (
        ("CORES", size["cores"]), ("CORE_BITS", max(1, (size["cores"] - 1).bit_length())),
        ("NEURONS", 1 << neuron_bits), ("NEURON_BITS", neuron_bits), ("POOL", 1 << pool_bits), ("POOL_BITS", pool_bits),
        ("COUNT_BITS", max(6, size["per_source"].bit_length())),
    )  # fmt: skip


def _played(artifact: Artifact, network: dict[str, Any], inputs: Rasters) -> Iterator[str]:
    """Yield all commands: for each sample the steps in which all are held, then its own and those that populations run late."""
    late = max(artifact.latency.values())
    try:
        hold = (artifact.root / "hold.hex").read_text()
        releases = {
            lag: (artifact.root / f"release_{lag}.hex").read_text()
            for lag in sorted({artifact.latency[name] for name in network["neurons"]})
        }
        yield (artifact.root / "program.hex").read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot be read: {error}", where=str(artifact.root), fix="export again") from error
    samples, steps = next(iter(inputs.values())).shape[:2]
    for sample in range(samples):
        yield hold + HELD_STEPS * commands.step()
        for step in range(steps + late):
            yield releases.get(step, "")
            for name, all_of in network["relays"].items() if step < steps else ():
                for i in np.flatnonzero(inputs[name][sample, step]):
                    yield from (commands.stimulus(c, n) for c, n in all_of[i])
            yield commands.step()


def _spikes(text: str, size: dict[str, int], runs: int) -> NDArray[np.uint8]:
    """Return spikes (runs, cores, neurons); one that is sent twice is counted twice."""
    events = _numbers(text, 3)
    found = np.zeros((runs, size["cores"], dict(_parameters(size))["NEURONS"]), np.uint8)
    np.add.at(found, (events[:, 1], events[:, 0], events[:, 2]), 1)
    return found


def _states(text: str, size: dict[str, int], runs: int) -> dict[str, NDArray[np.int64]]:
    """Return v and u (runs, cores, neurons)."""
    rows = _numbers(text, 3)
    by_core = rows[np.argsort(rows[:, 0], kind="stable")].reshape(size["cores"], runs, dict(_parameters(size))["NEURONS"], 3)
    return {"v": by_core[..., 1].swapaxes(0, 1), "u": by_core[..., 2].swapaxes(0, 1)}


def _numbers(text: str, columns: int) -> NDArray[np.int64]:
    """Return the numbers of a file. Raises ValueError for anything else, as x."""
    return np.array(text.split(), np.int64).reshape(-1, columns)


class _Cut:
    """What belongs to the steps of each population, out of all runs: shape (samples, steps, n)."""

    def __init__(self, neurons: dict[str, Any], lags: Any, samples: int, steps: int) -> None:
        self.neurons, self.lags, self.samples, self.steps = neurons, lags, samples, steps

    def of(self, name: str, raster: NDArray[Any]) -> NDArray[Any]:
        """Return the columns of a population's neurons, from the step in which its first input arrives."""
        core, neuron = np.array(self.neurons[name], np.int64).T
        mine = raster[:, core, neuron].reshape(self.samples, -1, len(core))
        return mine[:, HELD_STEPS + self.lags[name] :][:, : self.steps]
