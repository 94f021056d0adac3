"""About how many LUTs a design takes, from the widths of its wires; synthesis counts them."""

import re

from .files import Machine
from .units import Unit

CONTROL = 450  # of the schedule, the control and the serial port, in LUTs: what is left where lanes are taken away
PER_BIT = 3.0  # LUTs a lane takes for each bit that its pipeline moves: registers, and what selects their input
OPERATORS = re.compile(r" [-+?<>]=? ")
WIRE = re.compile(r"wire signed \[(\d+):0\] (\w+) = (.*);")


def estimated_luts(machine: Machine) -> int:
    """Return about how many LUTs of 4 inputs the design takes beside its memories, serial port included.

    An operator of a neuron's logic takes about a LUT for each bit of its result, a product one for each pair of bits. What it
    says of designs that were synthesised stands in docs/fpga.md.
    """
    p = machine.parameters
    moved = p["SYNAPSE"] + p["FIELDS"] * p["FIELD"] + p["STATE"]
    return round(CONTROL + p["LANES"] * (sum(map(logic, machine.units)) + PER_BIT * moved))


def logic(unit: Unit) -> int:
    """Return about how many LUTs the neurons' logic of a unit takes."""
    wires = [WIRE.fullmatch(line) for line in unit.logic.lines]
    return sum(_operators(int(wire[1]) + 1, wire[2], wire[3]) for wire in wires if wire)


def _operators(bits: int, name: str, expression: str) -> int:
    if name.startswith(("product", "kept")) and " * " in expression:
        return bits * bits // 4
    return bits * len(OPERATORS.findall(expression))
