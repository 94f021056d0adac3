"""Write docs/images/fpga-step.svg, a step of a small network as its Verilog is simulated: python docs/fpga_step.py."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import snnc.chips as chips
from snnc import targets
from snnc.network.model import Connection, Network, Population
from snnc.network.synapses import Synapses
from snnc.neurons.lif import LIF
from snnc.ops.dense import Dense

PICTURE = Path(__file__).resolve().parent / "images" / "fpga-step.svg"
SIGNALS = {  # signal of the design -> label
    "event_valid": "event_valid", "event_index": "event_index", "step": "step", "ready": "ready", "pc": "next instruction",
    "read_synapse": "read_synapse", "synapse_address": "synapse_address", "lane_0.write_sum": "sum is written",
    "read_neuron": "read_neuron", "write_neuron": "write_neuron", "spike_valid": "spike_valid", "spike_index": "spike_index",
}  # fmt: skip
OPERATIONS = ("CLOSE", "WALK", "UPDATE", "WALK", "UPDATE", "END")  # by the number of the instruction
PERIOD, LEFT, ROW, CLOCK = 10, 130, 26, 22  # of the testbench's clock; pixels
DUMP = """module dump;
initial begin $dumpfile("step.vcd"); $dumpvars(2, testbench.network); end
endmodule
"""


def network() -> Network:
    """Return 4 inputs, 6 hidden neurons and 2 outputs, sparsely connected."""
    numeric = chips.load("ice40up5k").fixed()
    lif = LIF(decay_v=np.int64(512), threshold=np.int64(60), bias=np.int64(0))
    first = np.array([[80, 0, 0, 40], [0, 70, 0, 0], [0, 0, 90, 0], [-60, 0, 0, 0], [0, 0, 50, 30], [0, 20, 0, 0]])
    second = np.array([[70, 0, 60, 0, 0, 0], [0, 66, 0, 0, -40, 0]])
    populations = (Population("input", (4,), None), Population("hidden", (6,), lif), Population("output", (2,), lif))
    ops = [Dense(Synapses.from_dense(weights), 0, "mixed") for weights in (first, second)]
    connections = (Connection("fc1", "input", "hidden", ops[0]), Connection("fc2", "hidden", "output", ops[1]))
    return Network("step", populations, connections, 1e-3, numeric)


def changes() -> dict[str, list[tuple[int, str]]]:
    """Simulate one step with two events; return (time, value) of each change of each signal."""
    with tempfile.TemporaryDirectory() as place:
        root = targets.export("verilog", network(), None, Path(place) / "a").root
        (root / "dump.v").write_text(DUMP)
        events = "".join(f"0 {1 << 3 | neuron:x}\n" for neuron in (0, 2))  # a message of 1 over a number of 3 bits
        (root / "commands.txt").write_text(f"2 0\n{events}1 0\n")
        beside = ("board", "snn_uart", "snn_flash", "spi_flash")
        sources = [p.name for p in sorted(root.glob("*.v")) if not p.name.startswith(beside)]
        iverilog, vvp = (shutil.which(tool) or tool for tool in ("iverilog", "vvp"))
        compiler = [iverilog, "-g2005", "-s", "testbench", "-s", "dump", "-o", "simulation", *sources]
        for words in (compiler, [vvp, "-n", "simulation"]):
            subprocess.run(words, cwd=root, check=True, capture_output=True)  # noqa: S603 - what was just exported
        return read(root / "step.vcd")


def read(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Return (time, value) of each change of the signals of the picture in a VCD file."""
    scope: list[str] = []
    names: dict[str, list[str]] = {}
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in SIGNALS}
    time = 0
    for line in path.read_text().splitlines():
        words = line.split()
        if line.startswith("$scope"):
            scope.append(words[2])
        elif line.startswith("$upscope"):
            scope.pop()
        elif line.startswith("$var"):
            names.setdefault(words[3], []).append(".".join([*scope[2:], words[4]]))
        elif line.startswith("#"):
            time = int(line[1:]) // 1000
        elif line[:1] in "01xzb" and words:
            value, code = (words[0][1:], words[1]) if line[0] == "b" else (line[0], line[1:])
            for name in names.get(code, ()):
                if name in found:
                    found[name].append((time, value))
    return found


def drawn(found: dict[str, list[tuple[int, str]]]) -> str:
    """Return the picture: levels as lines, numbers as boxes."""
    start = next(t for t, value in found["event_valid"] if value == "1") - PERIOD
    stop = next(t for t, value in found["ready"] if value == "1" and t > start + 8 * PERIOD) + 2 * PERIOD
    scale = CLOCK / PERIOD
    width, height = LEFT + (stop - start) * scale + 10, 20 + ROW * (len(SIGNALS) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="sans-serif" font-size="11">'
    ]
    parts.append(f'<rect width="{width:g}" height="{height:g}" fill="white"/>')
    for clock in range((stop - start) // PERIOD):
        x = LEFT + clock * CLOCK
        parts.append(f'<path d="M{x} 14V{height - 12:g}" stroke="#ddd"/><text x="{x + 2}" y="11" fill="#888">{clock}</text>')
    for row, (name, label) in enumerate(SIGNALS.items()):
        y = 24 + row * ROW
        parts.append(f'<text x="4" y="{y + 13}" fill="black">{label}</text>')
        ends = [*found[name][1:], (stop, "")]
        spans = [(max(t, start), min(u, stop), value) for (t, value), (u, _) in zip(found[name], ends, strict=True)]
        shown = [((a - start) * scale + LEFT, (b - start) * scale + LEFT, value) for a, b, value in spans if b > a]
        is_number = len(found[name]) and any(len(value) > 1 for _, value in found[name])
        parts.append(_boxes(name, shown, y) if is_number else _line(shown, y))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _line(spans: list[tuple[float, float, str]], y: int) -> str:
    points = " ".join(f"{x:g},{y + (2 if value == '1' else 16):g}" for a, b, value in spans for x in (a, b))
    return f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/>'


def _boxes(name: str, spans: list[tuple[float, float, str]], y: int) -> str:
    parts = []
    for a, b, value in spans:
        number = None if set(value) - {"0", "1"} else int(value, 2)
        word = "x" if number is None else (*OPERATIONS, "")[number] if name == "pc" else str(number)
        parts.append(f'<rect x="{a:g}" y="{y + 1}" width="{b - a:g}" height="16" fill="#eef3fa" stroke="#1f5fa8"/>')
        if b - a >= 7 * len(word):
            parts.append(f'<text x="{a + 3:g}" y="{y + 13}" fill="black">{word}</text>')
    return "".join(parts)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(drawn(changes()))
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main()
