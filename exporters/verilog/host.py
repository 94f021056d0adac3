"""Streams rasters to the network on a board, through its serial port, and writes the spikes that come back.

    python host.py INPUTS.npz OUTPUTS.npz --port /dev/ttyUSB1 [--load]

INPUTS.npz holds one array of integers (samples, steps, n) for each input population, as `snnc simulate --out` writes them.
OUTPUTS.npz gets one for each population whose spikes leave the board; of a population that never fires, the state by which it
is read, as NAME.STATE: the class is the neuron with the largest sum over all steps. --load: write the synapses first, where
utilisation.json says that they come through the serial port. Needs numpy and pyserial, and the files that were exported beside
it.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

BAUD = 1_000_000
EVENT, STEP, SAMPLE, LOAD = 1, 2, 3, 4  # commands; board.v describes their bytes
TIMEOUT_S = 10.0


class Board:
    """A network behind a serial port: anything with `write(bytes)` and `read(count)`."""

    def __init__(self, port: Any, folder: Path) -> None:
        self.port, self.folder = port, Path(folder)
        self.sizes = json.loads((self.folder / "network.json").read_text())
        self.p = self.sizes["parameters"]
        self.inputs = {name: (number, n) for number, (name, n) in enumerate(self.sizes["inputs"])}
        first = len(self.inputs)
        self.neurons = {first + i: (name, n) for i, (name, n, _) in enumerate(self.sizes["neurons"])}
        self.readout = self.sizes["readouts"][0] if len(self.sizes.get("readouts", [])) == 1 else None
        self.values: list[int] = []  # of the readout's neurons, after the last step

    def load(self) -> None:
        """Write the synapses of all lanes, where they do not lie in the board's flash."""
        if self._program():
            raise SystemExit(f"the board reads its synapses from flash, so leave out --load; {self._remedy()}")
        p = self.p
        size = -(-(p["LANE"] + p["SYNAPSE_ADDRESS"] + p["SYNAPSE"]) // 8)
        for lane in range(p["LANES"]):
            words = (self.folder / f"synapses_{lane}.hex").read_text().split()
            for address, word in enumerate(words):
                value = (lane << p["SYNAPSE_ADDRESS"] | address) << p["SYNAPSE"] | int(word, 16)
                self.port.write(bytes([LOAD]) + value.to_bytes(size, "big"))

    def sample(self, rasters: dict[str, Any]) -> list[tuple[list[tuple[str, int]], list[int]]]:
        """Run one sample, rasters (steps, n) by input; returns for each step the spikes and the readout's states."""
        self.port.write(bytes([SAMPLE]))
        steps = {len(raster) for raster in rasters.values()}
        if len(steps) != 1:
            raise SystemExit(f"the inputs have {sorted(steps)} steps, expected one number")
        return [(self.step({n: r[t] for n, r in rasters.items()}), self.values) for t in range(steps.pop())]

    def step(self, row: dict[str, Any]) -> list[tuple[str, int]]:
        """Send the messages of a step, one array (n,) by input, and return (population, neuron) of each spike."""
        p = self.p
        size = -(-(p["POPULATION"] + p["MESSAGE"] + p["INDEX"]) // 8)
        for name, messages in row.items():
            number, n = self.inputs[name]
            if len(messages) != n:
                raise SystemExit(f"input {name!r} has {n} neurons, the raster {len(messages)}")
            for neuron in np.flatnonzero(messages):
                value = (number << p["MESSAGE"] | int(messages[neuron])) << p["INDEX"] | int(neuron)
                self.port.write(bytes([EVENT]) + value.to_bytes(size, "big"))
        self.port.write(bytes([STEP]))
        spikes = []
        self.values = []
        while (answer := self._read(1)) != b"\0":
            if answer == b"\3" and self.readout:
                self.values += self._group(self.readout[2])
                continue
            if answer != b"\1":
                raise SystemExit(f"the board has no synapses of this network ({answer.hex()}): {self._remedy()}")
            value = int.from_bytes(self._read(-(-(p["POPULATION"] + p["INDEX"]) // 8)), "big")
            spikes.append(self._named(value >> p["INDEX"], value & ((1 << p["INDEX"]) - 1)))
        return spikes

    def _group(self, bits: int) -> list[int]:
        """The states of a group of neurons, one a lane, each a number of so many bits in two's complement."""
        lanes = self.p["LANES"]
        word = int.from_bytes(self._read(-(-lanes * bits // 8)), "big")
        fields = [word >> lane * bits & ((1 << bits) - 1) for lane in range(lanes)]
        return [field - (field >> bits - 1 << bits) for field in fields]

    def _remedy(self) -> str:
        """How the synapses get onto the board, as the build beside this program says."""
        commands = self._program()
        return f"program its flash: {'; '.join(commands)}" if commands else "add --load"

    def _named(self, number: int, position: int) -> tuple[str, int]:
        if number not in self.neurons or position >= self.neurons[number][1]:
            raise SystemExit(f"the board sent a spike of neuron {position} of population {number}, which is none of this network")
        name = self.neurons[number][0]
        return name, self.order(name)[position]

    def _program(self) -> list[str]:
        """The commands that program the board's flash, if it has the synapses."""
        file = self.folder / "utilisation.json"
        commands: list[str] = json.loads(file.read_text()).get("program", []) if file.is_file() else []
        return commands

    def order(self, name: str) -> list[int]:
        """The neuron at each position of a population."""
        listed: list[int] = self.sizes["order"].get(name) or list(range(dict(self.neurons.values())[name]))
        return listed

    def _read(self, count: int) -> bytes:
        data: bytes = self.port.read(count)
        if len(data) != count:
            raise SystemExit(f"the board did not answer within {TIMEOUT_S:g} s; is it this bitstream, and are synapses loaded?")
        return data


def run(board: Board, inputs: dict[str, Any]) -> dict[str, Any]:
    """Run all samples; returns rasters (samples, steps, n) of every population that spiked, and the states of a readout."""
    samples, steps = next(iter(inputs.values())).shape[:2]
    sizes = dict(board.neurons.values())
    rasters: dict[str, Any] = {}
    if board.readout:
        name, state, _ = board.readout
        rasters[f"{name}.{state}"] = np.zeros((samples, steps, sizes[name]), np.int64)
    for number in range(samples):
        for t, (spikes, values) in enumerate(board.sample({n: r[number] for n, r in inputs.items()})):
            for spiking, neuron in spikes:
                raster = rasters.setdefault(spiking, np.zeros((samples, steps, sizes[spiking]), np.uint8))
                raster[number, t, neuron] += 1
            if board.readout:
                rasters[f"{name}.{state}"][number, t, board.order(name)] = values[: sizes[name]]
    return rasters


def main() -> None:
    """Stream the rasters of a file and write what comes back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path)
    parser.add_argument("outputs", type=Path)
    parser.add_argument("--port", required=True)
    parser.add_argument("--baud", type=int, default=BAUD)
    parser.add_argument("--load", action="store_true")
    given = parser.parse_args()
    try:
        import serial  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError:
        sys.exit("pyserial is not installed; install it: pip install pyserial")
    with serial.Serial(given.port, given.baud, timeout=TIMEOUT_S) as port:
        board = Board(port, Path(__file__).resolve().parent)
        if len(board.sizes.get("readouts", [])) > 1:
            sys.exit(
                "the network has several populations that are read by a state, and the board sends one; export them one by one"
            )
        with np.load(given.inputs, allow_pickle=False) as file:
            if missing := sorted(board.inputs.keys() - set(file.files)):
                sys.exit(f"{given.inputs} has no array {missing[0]!r}")
            inputs = {name: file[name] for name in board.inputs}
        if given.load:
            board.load()
        rasters = run(board, inputs)
    np.savez_compressed(given.outputs, **rasters)
    print(f"{given.outputs}: {', '.join(rasters) or 'no population spiked'}")


if __name__ == "__main__":
    main()
