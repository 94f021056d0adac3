"""The netlist of a network after synthesis for a device, and the models of its cells, for a simulator."""

import re
import shutil
from pathlib import Path

from snnc.chips.fpga import Placed

from .devices import Device
from .yosys import NETWORK, YOSYS, models, synthesis

RTL = Path(__file__).with_name("rtl")
BLOCK_RAM = "dp16kd.v"  # of ECP5: yosys ships its ports only
ELABORATION = re.compile(r"^.*\$error\(.*$", re.MULTILINE)  # a task of SystemVerilog that Icarus Verilog 11 does not know
MODELS = {  # family -> files of yosys, and what is defined where they are read
    "ice40": (("cells_sim.v",), ("NO_ICE40_DEFAULT_ASSIGNMENTS",)),
    "ecp5": (("cells_sim.v", "common_sim.vh", "ccu2c_sim.vh", "cells_ff.vh", "cells_io.vh"), ("NO_INCLUDES",)),
}


def write_netlist(chip: Device, placed: tuple[Placed, ...], folder: Path, timeout_s: float) -> tuple[str, ...]:
    """Synthesise the network whose sources are in ``folder``; return the words with which a simulator reads what is left there.

    Raises MissingDependencyError without yosys, RunError if it fails.
    """
    folder_of_models = models() / chip.fpga.family
    loaded = is_loaded(placed)
    write = "chtype -set snn_dp16kd t:DP16KD; write_verilog -noattr netlist.v"
    YOSYS.call(synthesis(chip, "snn", NETWORK, loaded, write), folder, timeout_s)
    files, defined = MODELS[chip.fpga.family]
    for name in files:
        (folder / name).write_text(ELABORATION.sub("", (folder_of_models / name).read_text()))
    shutil.copy(RTL / BLOCK_RAM, folder)
    own = (BLOCK_RAM,) if chip.fpga.family == "ecp5" else ()
    return (*(f"-D{name}" for name in defined), "testbench.v", "netlist.v", *own, "cells_sim.v")


def is_loaded(placed: tuple[Placed, ...]) -> bool:
    """Tell whether synapses lie in memory that no bitstream fills."""
    return any(one.where == "large RAM" for one in placed)
