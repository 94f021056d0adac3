"""Target `verilog`: a network as an event-driven machine in Verilog-2005, for FPGAs, which visits only synapses that exist.

snn.v                  the network: its ports, the schedule of a step, the lanes
neurons.v              the neurons' logic, written by their own step
snn_control.v, snn_lane.v, snn_synapses.v, snn_ram.v   the machine, which is the same for every network
rows.hex, synapses_L.hex, own_L.hex   memory images for $readmemh: rows of synapses, synapses and parameters of each lane
testbench.v            plays events to it and writes down every spike and state
board.v, snn_uart.v    the network behind a serial port, for boards; board_testbench.v plays bits to it
snn_flash.v            copies the synapses from a board's SPI flash; spi_flash.v is one, for simulation
host.py                streams rasters to a board through its serial port
network.json           the order of the populations, and how large everything is
"""

from collections.abc import Iterator
from pathlib import Path

from snnc import ops
from snnc.analysis.current_bounds import arriving, step_input
from snnc.chips.fpga import Memory
from snnc.errors import ConfigError
from snnc.mapping.model import CoreMap
from snnc.network.arithmetic import Fixed
from snnc.network.model import Network, Population
from snnc.targets import step_writer

from .bitstream import build
from .boards import BOARDS, board
from .devices import DEVICES
from .files import Machine
from .logic import Logic
from .simulate import SIMULATORS, run, run_netlist

__all__ = [
    "BOARDS",
    "DEVICES",
    "NEEDS_MAPPING",
    "OPTIONS",
    "REMARK",
    "SIMULATORS",
    "SUMMARY",
    "VERIFIED_BY",
    "board",
    "build",
    "export",
    "luts",
    "memories",
    "neuron_problem",
    "operator_problem",
    "problems",
    "run",
    "run_netlist",
]

SUMMARY = "Verilog-2005 for FPGAs: an event-driven machine with the synapses that exist in block RAM"
NEEDS_MAPPING = False
CHECKS_BUDGETS = True  # the testbench; on a board, the host has to
OPTIONS = ("lanes", "narrow")
VERIFIED_BY = "Icarus Verilog or Verilator"
REMARK = "the design was simulated, with its clocks counted; nothing was run on an FPGA"
OPERATORS = ("dense", "conv2d", "sumpool2d")
MAX_STORED = 1 << 24  # synapses: far more than any FPGA holds
MOST_LANES = 64


def neuron_problem(model: str) -> str:
    """Why the target cannot compute a neuron model; empty if it can. The logic is written by the model's own step."""
    return step_writer.neuron_problem(model, step_writer.operations_of(Logic), "the Verilog")


def operator_problem(kind: str) -> str:
    """Why the target cannot compute a kind of operators; empty if it can: every one is a list of synapses."""
    return "" if kind in OPERATORS else f"no synapses are known that compute {kind!r}{ops.remedy(kind)}"


def problems(net: Network, mapping: CoreMap | None) -> list[str]:
    """Everything that cannot be exported, each as a sentence."""
    if not isinstance(net.numeric, Fixed):
        return ["it is a float network; quantise it first (snnc quantise)"]
    found = [
        f"population {p.name!r} has neurons {p.neuron.model()!r}: {why}"
        for p in net.populations
        if p.neuron and (why := neuron_problem(p.neuron.model()))
    ]
    found += [
        f"connection {c.name!r} has operator {c.op.kind!r}: {why}"
        for c in net.connections
        if (why := operator_problem(c.op.kind))
    ]
    if (stored := sum(c.op.synapse_count for c in net.connections)) > MAX_STORED:
        found.append(f"it has {stored:,} synapses, at most {MAX_STORED:,} are written; prune it")
    if not any(p.neuron for p in net.populations):
        found.append("it has no neurons")
    return found + [problem for p in net.populations for problem in _overflow_problems(net.numeric, net, p)]


def _overflow_problems(numeric: Fixed, net: Network, p: Population) -> Iterator[str]:
    """A register wraps around once a step: enough only while a step adds less than one turn."""
    low, high = step_input(p, arriving(net, p.name), numeric)
    added, turn = max(int(high.max()), -int(low.min())), 2 * numeric.state_limit
    if added > turn:
        yield (
            f"population {p.name!r} can get a current of {added:,} in one step, its register wraps around at most {turn:,};"
            " use a smaller weight exponent"
        )


def export(
    net: Network, mapping: CoreMap | None, folder: Path, max_synapses: int, lanes: int = 1, narrow: bool = True
) -> dict[str, int]:
    """Fill ``folder``; nothing runs late.

    ``lanes``: neurons that are computed side by side, a power of two. ``narrow``: whether registers are as narrow as is
    proved; else states are as wide as the chip's. Raises ConfigError for lanes that cannot be, and what `Machine.of` raises.
    """
    if type(lanes) is not int or not 1 <= lanes <= MOST_LANES or lanes & (lanes - 1):
        raise ConfigError(f"is {lanes!r}, expected a power of two up to {MOST_LANES}", where="lanes")
    if type(narrow) is not bool:
        raise ConfigError(f"is {narrow!r}, expected true or false", where="narrow")
    Machine.of(net, lanes, max_synapses, narrow=narrow).write(folder)
    return {p.name: 0 for p in net.ordered}


def memories(net: Network, lanes: int, max_synapses: int) -> tuple[Memory, ...]:
    """Return the memories of the design of a fixed network. Raises what `Machine.of` raises."""
    return Machine.of(net, lanes, max_synapses, narrow=True).memories


def luts(net: Network, lanes: int, max_synapses: int) -> int:
    """Return about how many LUTs of 4 inputs the design takes beside its memories. Raises what `Machine.of` raises."""
    return Machine.of(net, lanes, max_synapses, narrow=True).luts
