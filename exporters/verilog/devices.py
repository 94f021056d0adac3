"""The FPGAs that open tools place and route: how the tools are called for them. What a device has is in its hardware profile."""

from dataclasses import dataclass

import snnc.chips as chips
from snnc.chips.fpga import Fpga
from snnc.errors import ConfigError, UnsupportedError, nearest

CELLS = {  # family -> what nextpnr counts, and what it is
    "ice40": {
        "ICESTORM_LC": "logic cells",
        "ICESTORM_RAM": "block RAMs",
        "ICESTORM_SPRAM": "large RAMs",
        "ICESTORM_DSP": "multipliers",
    },
    "ecp5": {"TRELLIS_COMB": "LUT4", "TRELLIS_FF": "flip-flops", "DP16KD": "block RAMs", "MULT18X18D": "multipliers"},
}


@dataclass(frozen=True)
class Device:
    """An FPGA that can be built for: its cells, and the options of the tools."""

    name: str
    fpga: Fpga
    synthesis: str  # options of yosys' synth command
    place: tuple[str, ...]  # options of nextpnr

    @property
    def cells(self) -> dict[str, str]:
        """What nextpnr counts, and what it is."""
        return CELLS[self.fpga.family]


DEVICES = {  # profile -> options of yosys' synth command, options of nextpnr
    "ice40up5k": ("-device u -dsp -spram", ("--up5k", "--package", "sg48")),
    "ice40hx8k": ("-device hx", ("--hx8k", "--package", "ct256")),
    "ecp5_25f": ("", ("--25k", "--package", "CABGA381")),
    "ecp5_85f": ("", ("--85k", "--package", "CABGA381")),
}


def device(name: str) -> Device:
    """Return a device by the name of its profile.

    Raises ConfigError for an unknown name, UnsupportedError for an FPGA that no open tool places and routes.
    """
    if name in DEVICES:
        fpga = chips.load(name).fpga
        assert fpga is not None  # noqa: S101 - for the type checker; a test holds the profiles and this table together
        return Device(name, fpga, *DEVICES[name])
    if name in chips.names() and chips.load(name).fpga:
        fix = f"open the exported folder in the vendor's tool, or build for one of: {', '.join(DEVICES)}"
        raise UnsupportedError(f"no open tool that snnc calls places and routes {name}", where="device", fix=fix)
    raise ConfigError(f"is {name!r}; {nearest(name, list(DEVICES))}", where="device")
