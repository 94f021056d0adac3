"""The FPGAs that open tools place and route: their memories, and how the tools are called for them."""

from dataclasses import dataclass

LOGIC = {
    "ice40": {
        "ICESTORM_LC": "logic cells",
        "ICESTORM_RAM": "block RAMs",
        "ICESTORM_SPRAM": "SPRAMs",
        "ICESTORM_DSP": "multipliers",
    },
    "ecp5": {"TRELLIS_COMB": "LUT4", "TRELLIS_FF": "flip-flops", "DP16KD": "block RAMs", "MULT18X18D": "multipliers"},
}


@dataclass(frozen=True)
class Device:
    """An FPGA. ``loadable`` memories are large single-port ones that no bitstream fills; of logic, nextpnr knows."""

    family: str  # ice40 or ecp5
    blocks: int  # of block RAM
    block_bits: int
    loadable: int
    source: str
    synthesis: str  # options of yosys' synth command
    place: tuple[str, ...]  # options of nextpnr

    @property
    def cells(self) -> dict[str, str]:
        """What nextpnr counts, and what it is."""
        return LOGIC[self.family]


ICE40 = "Lattice FPGA-DS-02008, iCE40 UltraPlus Family Data Sheet; nextpnr-ice40 0.11.1 counts the same"
HX = "Lattice FPGA-DS-02029, iCE40 LP/HX Family Data Sheet; second-hand, not counted by a build here"
ECP5 = "Lattice FPGA-DS-02012, ECP5 and ECP5-5G Family Data Sheet; nextpnr-ecp5 0.11.1 confirms the 25F, the 85F is second-hand"

DEVICES = {
    "ice40up5k": Device("ice40", 30, 4096, 4, ICE40, "-device u -dsp -spram", ("--up5k", "--package", "sg48")),
    "ice40hx8k": Device("ice40", 32, 4096, 0, HX, "-device hx", ("--hx8k", "--package", "ct256")),
    "ecp5_25f": Device("ecp5", 56, 18432, 0, ECP5, "", ("--25k", "--package", "CABGA381")),
    "ecp5_85f": Device("ecp5", 208, 18432, 0, ECP5, "", ("--85k", "--package", "CABGA381")),
}
